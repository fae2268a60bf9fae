// SPDX-License-Identifier: MIT
// How Reactor::report() comes to know of tasks, which the layer above makes.
#pragma once

#include <string>

namespace lariat {

class Reactor;

/// Describes the tasks of a reactor, on its thread: lines that each end with a newline.
using DescribeTasks = std::string (*)(Reactor& reactor);

/// Says who does. From any thread.
void set_describe_tasks(DescribeTasks describe) noexcept;

}  // namespace lariat
