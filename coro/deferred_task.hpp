// SPDX-License-Identifier: MIT
// Between Deferred and Task. Either kind of coroutine awaits either; these are for places that ask for the other type.
#pragma once

#include <lariat/coro/deferred.hpp>
#include <lariat/coro/deferred_coroutine.hpp>
#include <lariat/coro/task.hpp>

#include <source_location>
#include <type_traits>
#include <utility>

namespace lariat {

namespace detail {

template <class T>
Deferred<T> run_task(Task<T> task) {
    co_return co_await Hidden(std::move(task));
}

template <class T>
Task<T> wait_for_deferred(Deferred<T> deferred) {
    co_return co_await Hidden(std::move(deferred));
}

}  // namespace detail

/// Starts the Task inside this call; the Deferred fires with its result or failure. `Deferred.fromCoroutine` is another
/// name for it in Twisted. The Task runs on, also when nobody keeps the Deferred.
///
/// Cancellation: of the Deferred interrupts the one wait that is going on, as with any coroutine that returns one; the
/// Task may catch that and go on.
template <class T>
Deferred<T> ensure_deferred(Task<T> task, const std::source_location& where = std::source_location::current()) {
    static_assert(!std::is_reference_v<T>, "lariat: a Deferred holds values; let the Task give a pointer");
    Deferred<T> deferred = detail::run_task(std::move(task));
    detail::DeferredAccess::state(deferred)->set_created(where);
    return deferred;
}
/// A Deferred comes back as it is.
template <class T>
Deferred<T> ensure_deferred(Deferred<T> deferred) noexcept {
    return deferred;
}

/// A Task that waits for the Deferred and gives its result. Consumes that, as awaiting does.
///
/// Cancellation: of the Task cancels the Deferred; what its canceller fires it with is the result.
template <class T>
Task<T> as_task(Deferred<T> deferred) {
    return detail::wait_for_deferred(std::move(deferred));
}

}  // namespace lariat
