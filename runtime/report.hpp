// SPDX-License-Identifier: MIT
// What becomes of an exception that leaves a user's callback: one log event with its traceback. It never reaches the
// loop.
#pragma once

#include <lariat/runtime/failure.hpp>

#include <string_view>

namespace lariat {

/// Logs "`context`", then the failure's traceback on the following lines, at level critical.
void log_failure(std::string_view system, std::string_view context, const Failure& failure) noexcept;

/// Calls `f`; logs what it throws. False when it threw.
template <class F>
bool guarded(std::string_view context, F&& f) noexcept {
    try {
        f();
        return true;
    } catch (...) {
        log_failure("reactor", context, Failure(std::current_exception()));
        return false;
    }
}

}  // namespace lariat
