// SPDX-License-Identifier: MIT
#include <lariat/io/uring/refusal.hpp>

#include <lariat/io/base/error.hpp>

#include <cerrno>

namespace lariat::io::uring {
namespace {

std::string_view cause_of(int error) noexcept {
    switch (error) {
    case ENOSYS: return "ENOSYS: a kernel without io_uring, or a seccomp filter such as a container's";
    // The sysctl exists since Linux 6.6. Docker's filter has answered EPERM since 25.0.
    case EPERM: return "EPERM: the sysctl kernel.io_uring_disabled, or a seccomp filter such as a container's";
    case EACCES: return "EACCES: a security module forbids it";
    // Rings count against the limit before Linux 5.12, buffers that are registered in all versions.
    case ENOMEM: return "ENOMEM: the limit of locked memory, see ulimit -l, or memory is short";
    case EINVAL: return "EINVAL: a kernel older than 6.1";
    case EMFILE: return "EMFILE: the process has too many open files, see ulimit -n";
    case ENFILE: return "ENFILE: the system has too many open files";
    default: return {};
    }
}

}  // namespace

std::string explain_refusal(std::string_view call, int error) {
    std::string line = describe_errno(call, error);
    const std::string_view cause = cause_of(error);
    if (cause.empty()) return line + ", errno " + std::to_string(error);
    return line.append(", ").append(cause);
}

}  // namespace lariat::io::uring
