// SPDX-License-Identifier: MIT
// Why a kernel refuses io_uring, said so that the reader knows what to change.
#pragma once

#include <string>
#include <string_view>

namespace lariat::io::uring {

/// One line such as "io_uring_setup: Operation not permitted, EPERM: the sysctl kernel.io_uring_disabled, or ...".
/// `call` is the system call that failed, `error` its errno.
std::string explain_refusal(std::string_view call, int error);

}  // namespace lariat::io::uring
