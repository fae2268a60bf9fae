// SPDX-License-Identifier: MIT
// StopWaiters: who waits for a port to have stopped. Not for users.
#pragma once

#include <lariat/coro/deferred.hpp>
#include <lariat/runtime/failure.hpp>
#include <lariat/runtime/report.hpp>

#include <string>
#include <utility>
#include <vector>

namespace lariat::detail {

class StopWaiters {
public:
    Deferred<> add() { return waiting_.emplace_back(); }

    /// Calls `stop`, which tells the factory or the protocol, then fires all. What it throws is their failure, or
    /// logged as `what` when nobody waits.
    template <class F>
    void fire_after(F stop, const std::string& log_prefix, const char* what) noexcept {
        Failure failure;
        try {
            stop();
        } catch (...) {
            failure = Failure::current();
        }
        const std::vector<Deferred<>> waiting = std::exchange(waiting_, {});
        if (failure && waiting.empty()) log_failure(log_prefix, what, failure);
        for (const Deferred<>& each : waiting) {
            if (failure) {
                each.errback(failure);
            } else {
                each.callback();
            }
        }
    }

private:
    std::vector<Deferred<>> waiting_;
};

}  // namespace lariat::detail
