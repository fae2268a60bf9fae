// SPDX-License-Identifier: MIT
// Awaiting a Deferred, in any coroutine of lariat. The awaiter is an entry of the Deferred's list: callbacks added
// before come first, and the await consumes the result.
#pragma once

#include <lariat/coro/deferred_level.hpp>
#include <lariat/coro/promise.hpp>
#include <lariat/io/base/log.hpp>

#include <concepts>
#include <coroutine>
#include <cstdint>
#include <string>
#include <utility>

namespace lariat::detail {

/// A promise that has a Deferred of its own, which then waits for what the coroutine waits for.
template <class P>
concept DeferredOwner = LariatPromise<P> && requires(P& promise) {
    { promise.deferred_stage() } -> std::convertible_to<DeferredStage*>;
    { promise.has_in_frame(nullptr, nullptr) } -> std::convertible_to<bool>;
};

/// Waits for a Deferred and gives its result. Cancelling the wait cancels the Deferred.
template <class T>
class DeferredAwaiter final : public Cancellable, private DeferredLevel {
public:
    /// Shares the Deferred: whoever holds the handle that is awaited can still fire it.
    explicit DeferredAwaiter(const Deferred<T>& deferred, Failure* raised = nullptr) noexcept
        : source_(*DeferredAccess::state(deferred)), raised_(raised), handle_(&deferred) {
        source_.add_keeper();
    }
    /// Takes the handle: when the last one elsewhere goes, the wait ends with AbandonedError.
    explicit DeferredAwaiter(Deferred<T>&& deferred, Failure* raised = nullptr) noexcept
        : source_(*DeferredAccess::release(deferred)), raised_(raised) {
        source_.handle_to_keeper();
    }
    DeferredAwaiter(const DeferredAwaiter&) = delete;
    DeferredAwaiter& operator=(const DeferredAwaiter&) = delete;
    ~DeferredAwaiter() {
        if (suspended_) leave();  // the coroutine is destroyed while it waits
        source_.release_keeper();
    }

    bool await_ready() noexcept {
        if (source_.is_ready()) source_.run();
        return source_.is_idle();
    }

    template <LariatPromise P>
    bool await_suspend(std::coroutine_handle<P> waiter) noexcept {
        context_ = waiter.promise().context();
        if (context_->is_cancelled()) {
            // What was started for this await is cancelled as if that had begun; what it ends with at once is given.
            cancel_source(context_->reason());
            if (!await_ready()) refusal_ = Refusal::cancelled;
            return false;
        }
        if constexpr (DeferredOwner<P>) {
            if (waiter.promise().deferred_stage()->would_deadlock(source_, 0)) {
                refusal_ = Refusal::deadlock;
                return false;
            }
        }
        waiter_ = waiter;
        promise_ = &waiter.promise();
        context_->begin_wait(*this, *promise_);
        if constexpr (DeferredOwner<P>) {
            owner_ = waiter.promise().deferred_stage();
            owner_->set_waiting_on(&source_);
            // Only this coroutine can use the handle: it must not hide that nobody else has one.
            lent_ = handle_ && waiter.promise().has_in_frame(waiter.address(), handle_);
            if (lent_) source_.lend_handle();
        }
        suspended_ = true;
        source_.append(*this);
        return true;
    }

    T await_resume() {
        if (refusal_ != Refusal::none) refuse();
        source_.settle();
        if (source_.failure()) {
            const Failure failure = source_.take_failure();
            if (raised_) *raised_ = failure;
            failure.raise();
        }
        if constexpr (!std::is_void_v<T>) return source_.take_value();
    }

    void cancel(CancelReason reason) noexcept override {
        context_->begin_wait(*this, *promise_);  // it may go on, and hear of a further cancellation
        cancel_source(reason);
    }

private:
    enum class Refusal : std::uint8_t { none, cancelled, deadlock };

    void cancel_source(CancelReason reason) noexcept {
        try {
            source_.cancel(reason);
        } catch (...) {
            // There is no caller to tell: the wait goes on, as the Deferred has not been fired.
            log(LogLevel::error, "deferred",
                "the canceller of an awaited Deferred failed: " + Failure::current().traceback());
        }
    }
    DeferredStage* run(DeferredStage& stage) noexcept override {
        const Running running(*promise_);
        end_wait();
        stage.set_running(true);
        DeferredStage* ended = resume_waiter(waiter_, *context_);  // the awaiter dies in here
        stage.set_running(false);
        return ended;
    }
    void discard(DeferredStage&) noexcept override { suspended_ = false; }

    WaitInfo info() const noexcept override { return {.verb = "a Deferred", .inner = source_.coroutine()}; }

    [[noreturn]] void refuse() const {
        if (refusal_ == Refusal::cancelled) throw Cancelled(context_->reason());
        throw UsageError("this Deferred waits for the coroutine that awaits it, so that neither would ever fire");
    }
    void end_wait() noexcept {
        suspended_ = false;
        context_->end_wait();
        if (owner_) owner_->set_waiting_on(nullptr);
        if (lent_) source_.return_handle();
    }
    void leave() noexcept {
        end_wait();
        source_.remove(*this);
    }

    DeferredState<T>& source_;
    Failure* raised_;
    std::coroutine_handle<> waiter_;
    const PromiseBase* promise_ = nullptr;  // the waiter's
    CancelContext* context_ = nullptr;
    DeferredStage* owner_ = nullptr;
    const void* handle_ = nullptr;  // where the handle is that somebody else owns
    bool lent_ = false;
    bool suspended_ = false;
    Refusal refusal_ = Refusal::none;
};

template <class T>
DeferredAwaiter<T> await_in(PromiseBase& promise, const Deferred<T>& deferred) noexcept {
    return DeferredAwaiter<T>(deferred, &promise.raised());
}
template <class T>
DeferredAwaiter<T> await_in(PromiseBase& promise, Deferred<T>&& deferred) noexcept {
    return DeferredAwaiter<T>(std::move(deferred), &promise.raised());
}

}  // namespace lariat::detail

namespace lariat {

/// Gives the value or throws what it failed with. Consumes the result: a second await gets nothing (T{}).
/// When the last handle elsewhere goes, the await ends with AbandonedError; a handle that is awaited as an lvalue and
/// is neither local to a Deferred coroutine nor its parameter counts as one that can still fire.
template <class T>
detail::DeferredAwaiter<T> operator co_await(const Deferred<T>& deferred) noexcept {
    return detail::DeferredAwaiter<T>(deferred);
}
template <class T>
detail::DeferredAwaiter<T> operator co_await(Deferred<T>&& deferred) noexcept {
    return detail::DeferredAwaiter<T>(std::move(deferred));
}

}  // namespace lariat
