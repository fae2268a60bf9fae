// SPDX-License-Identifier: MIT
// from_callback(): a Deferred for a function that reports its result by calling back.
#pragma once

#include <lariat/coro/deferred.hpp>

#include <functional>
#include <source_location>
#include <type_traits>
#include <utility>

namespace lariat {

/// What a callback-style function calls when it is done. Copies fire the same Deferred; only the first call counts,
/// since code that is not lariat's can do nothing about a second one. When all copies are gone without a call, whoever
/// waits gets AbandonedError.
///
/// Threads: the reactor's. Elsewhere hand the call to Reactor::call_from_thread(), with a reference, not with a copy.
template <class T = void>
class DeferredCallback {
public:
    explicit DeferredCallback(Deferred<T> target) noexcept : target_(std::move(target)) {}

    /// Success, with what makes a T.
    template <class... V>
    requires(!std::is_void_v<T> && std::is_constructible_v<detail::value_of<T>, V && ...>)
    void operator()(V&&... value) const {
        if (!target_.called()) target_.callback(T(std::forward<V>(value)...));
    }
    void operator()() const requires std::is_void_v<T>
    {
        if (!target_.called()) target_.callback();
    }
    /// Failure, with what Deferred::errback() takes.
    template <class E>
    void fail(E&& error, const std::source_location& where = std::source_location::current()) const {
        if (!target_.called()) target_.errback(std::forward<E>(error), where);
    }

    [[nodiscard]] bool called() const noexcept { return target_.called(); }

private:
    Deferred<T> target_;
};

/// Calls `start(done)` now, with a DeferredCallback<T> to pass on. `start` may return a canceller, a function without
/// arguments that stops the work: `from_callback<Answer>([&](auto done) { auto id = ask(done); return [id] { drop(id);
/// }; })`. It must not hold a copy of `done`.
///
/// Cancellation: calls that canceller, if there is one; the Deferred then fails with Cancelled, unless the canceller
/// made it fire. Errors: what `start` throws fails the Deferred.
template <class T = void, class F>
[[nodiscard]] Deferred<T> from_callback(F&& start,
                                        const std::source_location& where = std::source_location::current()) {
    using Stop = std::invoke_result_t<F, DeferredCallback<T>>;
    Deferred<T> result(where);
    try {
        if constexpr (std::is_void_v<Stop>) {
            std::invoke(std::forward<F>(start), DeferredCallback<T>(result));
        } else {
            static_assert(std::is_invocable_v<std::decay_t<Stop>&>,
                          "lariat: what `start` returns is called to cancel the work; return a function or nothing");
            auto stop = std::invoke(std::forward<F>(start), DeferredCallback<T>(result));
            if (!result.called()) detail::DeferredAccess::set_canceller(result, std::move(stop));
        }
    } catch (...) {
        if (result.called()) throw;
        result.errback(where);
    }
    return result;
}

}  // namespace lariat
