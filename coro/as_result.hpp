// SPDX-License-Identifier: MIT
// as_result(): an await that does not throw: `co_await as_result(x)` gives what `co_await x` gave or threw.
#pragma once

#include <lariat/coro/deferred_result.hpp>
#include <lariat/coro/operation.hpp>
#include <lariat/coro/promise.hpp>
#include <lariat/coro/task.hpp>

#include <coroutine>
#include <exception>
#include <source_location>
#include <type_traits>
#include <utility>

namespace lariat {

/// What an await ended with: a value, or the Failure it would have thrown, Cancelled included. `*outcome` is the value
/// or throws, `outcome.failure()` and `outcome.check<TimedOut>()` look.
template <class T = void>
using Outcome = DeferredResult<T>;

namespace detail {

template <class A>
decltype(auto) awaiter_of(A&& awaitable) {
    if constexpr (requires { static_cast<A&&>(awaitable).operator co_await(); }) {
        return static_cast<A&&>(awaitable).operator co_await();
    } else if constexpr (requires { operator co_await(static_cast<A&&>(awaitable)); }) {
        return operator co_await(static_cast<A&&>(awaitable));
    } else {
        return static_cast<A&&>(awaitable);
    }
}
template <class A>
class ResultAwaiter {
    using Awaited = decltype(traced_in(std::declval<PromiseBase&>(), std::declval<A>()));
    using Inner = decltype(awaiter_of(std::declval<Awaited>()));
    using T = decltype(std::declval<Inner&>().await_resume());

public:
    ResultAwaiter(PromiseBase& promise, A&& awaitable)
        : promise_(promise),
          awaited_(traced_in(promise, static_cast<A&&>(awaitable))),
          inner_(awaiter_of(static_cast<Awaited&&>(awaited_))) {}
    ResultAwaiter(const ResultAwaiter&) = delete;
    ResultAwaiter& operator=(const ResultAwaiter&) = delete;

    [[nodiscard]] bool await_ready() { return inner_.await_ready(); }
    template <class P>
    decltype(auto) await_suspend(std::coroutine_handle<P> waiter) {
        return inner_.await_suspend(waiter);
    }
    Outcome<T> await_resume() {
        try {
            if constexpr (std::is_void_v<T>) {
                inner_.await_resume();
                return {};
            } else {
                return inner_.await_resume();
            }
        } catch (...) {
            std::exception_ptr thrown = std::current_exception();
            if (promise_.raised().same_exception(thrown)) return promise_.raised();
            return Failure(std::move(thrown), promise_.wait_location());
        }
    }

private:
    PromiseBase& promise_;
    Awaited awaited_;
    Inner inner_;  // of awaited_
};

/// Refers to the awaitable: to be awaited in the expression that makes it.
template <class A>
class ResultOf {
public:
    explicit ResultOf(A&& awaitable) noexcept : awaitable_(static_cast<A&&>(awaitable)) {}

    friend ResultAwaiter<A> await_in(PromiseBase& promise, ResultOf&& self) {
        return ResultAwaiter<A>(promise, static_cast<A&&>(self.awaitable_));
    }
    /// Never defined: says that it can be awaited. A promise asks await_in().
    ResultAwaiter<A> operator co_await() &&;

private:
    A&& awaitable_;
};

template <class T>
class TaskResultAwaiter final : public TaskAwaiter<T> {
public:
    using TaskAwaiter<T>::TaskAwaiter;

    Outcome<T> await_resume() {
        TaskPromise<T>& promise = this->promise();
        if (promise.has_failed()) return promise.raised();
        if constexpr (std::is_void_v<T>) {
            return {};
        } else {
            return promise.take();
        }
    }
};

template <class T>
class TaskResult {
public:
    explicit TaskResult(Task<T> task) noexcept : task_(std::move(task)) {}
    TaskResultAwaiter<T> operator co_await() && noexcept { return TaskResultAwaiter<T>(task_.release()); }

private:
    Task<T> task_;
};

}  // namespace detail

/// Never throws what the Task ended with. A Task itself, to be combined with others: when_all(as_result(a()),
/// as_result(b())) waits for both, whatever becomes of them.
///
/// Cancellation: is an Outcome like any other; the next wait of a cancelled Task throws.
template <class T>
[[nodiscard]] Task<Outcome<T>> as_result(Task<T> task) {
    static_assert(!std::is_reference_v<T>, "an Outcome holds values; let the Task give a pointer");
    co_return co_await detail::Hidden(detail::TaskResult<T>(std::move(task)));
}

/// The same for a single operation, a Deferred or a JoinHandle: `co_await as_result(stream.read_some())`.
///
/// Lifetime: refers to what it is given; await it in the same expression.
template <class A>
requires(!detail::is_task<std::remove_cvref_t<A>>)
[[nodiscard]] detail::ResultOf<A> as_result(A&& awaitable) noexcept {
    return detail::ResultOf<A>(std::forward<A>(awaitable));
}

}  // namespace lariat
