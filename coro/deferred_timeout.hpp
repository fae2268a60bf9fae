// SPDX-License-Identifier: MIT
// Deferred::add_timeout: a timer that cancels, and a callback that turns what comes of it into TimedOut.
#pragma once

#include <lariat/coro/cancel.hpp>
#include <lariat/coro/deferred_result.hpp>
#include <lariat/io/base/clock.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/runtime/failure.hpp>

#include <memory>
#include <optional>
#include <source_location>
#include <utility>

namespace lariat::detail {

/// The default outcome of a timeout.
struct TimeoutToTimedOut {
    template <class T>
    DeferredResult<T> operator()(DeferredResult<T> result, Duration limit) const {
        if (!result.template check<Cancelled>()) return result;
        return Failure(TimedOut(limit, "Deferred"), std::source_location());
    }
};

template <class Timer>
struct TimeoutRecord {
    std::optional<Timer> timer;
    bool timed_out = false;
};

/// The timer holds a handle: a Deferred with a timeout that everybody forgot still ends, and is reported, in time.
template <class D, class Clock, class F>
void add_timeout(const D& deferred, Duration limit, Clock& clock, F&& on_timeout) {
    using T = typename D::value_type;
    using Timer = decltype(clock.call_later(limit, [] {}));
    auto record = std::make_shared<TimeoutRecord<Timer>>();
    record->timer.emplace(clock.call_later(limit, [record_of_timer = std::weak_ptr(record), handle = deferred] {
        if (auto self = record_of_timer.lock()) self->timed_out = true;
        handle.cancel();
    }));
    deferred.add_both([record, limit, convert = std::decay_t<F>(std::forward<F>(on_timeout))](
                          DeferredResult<T> result) mutable -> DeferredResult<T> {
        if (record->timed_out) return convert(std::move(result), limit);
        if (record->timer->active()) record->timer->cancel();
        return result;
    });
}

}  // namespace lariat::detail
