// SPDX-License-Identifier: MIT
// Where the coroutine that runs on this thread went on last: for whoever finds the thread busy (StallDetector).
#pragma once

#include <source_location>

namespace lariat {

struct RunningPlace {
    std::source_location where;  ///< of the await; line 0 when no coroutine runs
    const char* name = "";       ///< of the coroutine
};

/// Points to what is never freed, so that a signal handler may read it.
inline constinit thread_local RunningPlace running_place = {};

}  // namespace lariat
