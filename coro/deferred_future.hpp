// SPDX-License-Identifier: MIT
// Between Deferred and std::future, for the other threads of a program: as_future() lets another thread wait for a
// Deferred, from_future() makes a Deferred of what another thread will deliver.
#pragma once

#include <lariat/coro/deferred.hpp>
#include <lariat/coro/deferred_source.hpp>
#include <lariat/runtime/reactor.hpp>

#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <source_location>
#include <type_traits>
#include <utility>

namespace lariat {

namespace detail {

/// What the two sides of as_future() share. Only the reactor's thread looks inside.
struct FutureLink {
    DeferredStage* stage = nullptr;  // null when there is nothing left to cancel

    void cancel(CancelReason reason) const {
        if (stage) stage->cancel(reason);
    }
};

/// The callback that fulfils the promise. A waiter like any other: it keeps the memory, not the ability to fire.
template <class T>
class FutureDelivery {
public:
    FutureDelivery(const Deferred<T>& source, std::promise<T> promise, std::shared_ptr<FutureLink> link) noexcept
        : promise_(std::move(promise)), link_(std::move(link)) {
        link_->stage = DeferredAccess::state(source);
        link_->stage->add_keeper();
    }
    FutureDelivery(FutureDelivery&&) noexcept = default;
    FutureDelivery& operator=(FutureDelivery&&) = delete;
    ~FutureDelivery() {
        if (link_) std::exchange(link_->stage, nullptr)->release_keeper();
    }

    DeferredResult<T> operator()(DeferredResult<T> result) {
        try {
            if (!result) {
                promise_.set_exception(result.failure().exception());
            } else if constexpr (std::is_void_v<T>) {
                promise_.set_value();
            } else {
                promise_.set_value(std::move(*result));
            }
        } catch (...) {
            promise_.set_exception(std::current_exception());
        }
        return DeferredResult<T>(Failure());  // consumed
    }

private:
    std::promise<T> promise_;
    std::shared_ptr<FutureLink> link_;
};

template <class T>
struct FutureWait {
    FutureWait(const Deferred<T>& deferred, std::future<T> awaited) : target(deferred), future(std::move(awaited)) {}

    void deliver() {
        try {
            if constexpr (std::is_void_v<T>) {
                future.get();
                target.fire();
            } else {
                target.fire(future.get());
            }
        } catch (...) {
            target.fire(Failure::current(std::source_location()));
        }
    }

    DeferredSource<T> target;
    std::future<T> future;
};

}  // namespace detail

/// A std::future that can be cancelled.
///
/// Threads: any, except that waiting on the reactor's own thread would never end. The reactor must outlive it.
template <class T = void>
class DeferredFuture : public std::future<T> {
public:
    DeferredFuture(std::future<T> plain, Reactor& reactor, std::shared_ptr<const detail::FutureLink> link) noexcept
        : std::future<T>(std::move(plain)), reactor_(&reactor), link_(std::move(link)) {}

    /// Cancels the Deferred, soon, on the reactor's thread; get() then throws Cancelled, or gives what it still made of
    /// it. Nothing happens when it has fired.
    void cancel(CancelReason reason = CancelReason::requested) const {
        reactor_->call_from_thread([link = link_, reason] { link->cancel(reason); });
    }

private:
    Reactor* reactor_;
    std::shared_ptr<const detail::FutureLink> link_;
};

/// The result of the Deferred, for another thread; Twisted's asFuture. Consumes it, as awaiting does. The future holds
/// the exception of a failure; AbandonedError when nobody can fire the Deferred any more.
///
/// Threads: called on the thread of `reactor`. Dropping the future cancels nothing.
template <class T>
[[nodiscard]] DeferredFuture<T> as_future(Reactor& reactor, Deferred<T> deferred) {
    auto link = std::make_shared<detail::FutureLink>();
    std::promise<T> promise;
    DeferredFuture<T> future(promise.get_future(), reactor, link);
    deferred.add_both(detail::FutureDelivery<T>(deferred, std::move(promise), std::move(link)));
    return future;
}

/// Fires, on the thread of `reactor`, with what the future gives or throws; Twisted's fromFuture. One that is ready
/// fires at once; otherwise a thread of the reactor's pool waits, which holds up the pool's end at shutdown until the
/// future is ready.
///
/// Cancellation: calls `cancel_work()`, on the reactor's thread, which should stop whatever makes the result (a
/// std::stop_source, say); the Deferred fails with Cancelled at once, and what still comes is dropped.
template <class T, class F>
requires std::is_invocable_v<std::decay_t<F>&>
[[nodiscard]] Deferred<T> from_future(Reactor& reactor, std::future<T> future, F&& cancel_work,
                                      const std::source_location& where = std::source_location::current()) {
    static_assert(!std::is_reference_v<T>, "lariat: a Deferred holds values; let the future give a pointer");
    if (!future.valid()) throw UsageError("from_future() was given a std::future without a state");
    Deferred<T> result(std::forward<F>(cancel_work), where);
    auto wait = std::make_unique<detail::FutureWait<T>>(result, std::move(future));
    if (wait->future.wait_for(std::chrono::seconds(0)) == std::future_status::ready) {
        wait->deliver();
        return result;
    }
    // What refers to the Deferred is made and destroyed on this thread; the pool's only carries it.
    reactor.call_in_thread([&reactor, wait = std::move(wait)]() mutable {
        wait->future.wait();
        reactor.call_from_thread([wait = std::move(wait)] { wait->deliver(); });
    });
    return result;
}
template <class T>
[[nodiscard]] Deferred<T> from_future(Reactor& reactor, std::future<T> future,
                                      const std::source_location& where = std::source_location::current()) {
    return from_future(reactor, std::move(future), [] {}, where);
}

}  // namespace lariat
