// SPDX-License-Identifier: MIT
// Deferred<T> as a coroutine return type: what @inlineCallbacks is in Twisted. The body runs at once until it awaits
// something that is not there yet; `co_return` fires the Deferred, an exception fails it, and cancelling it cancels
// what the coroutine waits for, which may catch that, clean up, and even succeed.
#pragma once

#include <lariat/coro/deferred.hpp>
#include <lariat/coro/deferred_awaiter.hpp>
#include <lariat/coro/initial_awaiter.hpp>
#include <lariat/coro/promise.hpp>
#include <lariat/runtime/reactor.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <source_location>
#include <type_traits>
#include <utility>

namespace lariat::detail {

template <class A>
concept HasCoAwait = requires(A&& awaitable) { std::forward<A>(awaitable).operator co_await(); }
                     || requires(A&& awaitable) { operator co_await(std::forward<A>(awaitable)); };
template <class A>
concept IsAwaiter = requires(std::remove_reference_t<A>& awaiter) {
    awaiter.await_ready();
    awaiter.await_resume();
};

/// A plain value that was awaited: comes straight back.
template <class V>
class ValueAwaiter {
public:
    explicit ValueAwaiter(V&& value) noexcept : value_(std::forward<V>(value)) {}
    bool await_ready() const noexcept { return true; }
    void await_suspend(std::coroutine_handle<>) const noexcept {}
    V await_resume() { return std::forward<V>(value_); }

private:
    V&& value_;
};

/// Tells a promise, made right after its frame, how large the frame is.
struct NewestFrame {
    void* start;
    std::size_t size;
};
inline constinit thread_local NewestFrame newest_frame = {};

class DeferredPromiseBase;
/// The coroutines of this thread that have not ended, in a list for those who look at the tree of tasks.
inline constinit thread_local DeferredPromiseBase* newest_deferred_coroutine = nullptr;

class DeferredPromiseBase : public PromiseBase {
public:
    /// The next in the list.
    [[nodiscard]] const DeferredPromiseBase* older() const noexcept { return older_; }
    /// Where it was called; null outside of all reactors.
    [[nodiscard]] const Reactor* reactor() const noexcept { return reactor_; }

    InitialAwaiter<false> initial_suspend() const noexcept { return InitialAwaiter<false>(*this); }

    template <class A>
    decltype(auto) await_transform(A&& awaited, const std::source_location& where = std::source_location::current()) {
        static_assert(std::is_lvalue_reference_v<A> || safe_as_temporary<std::remove_cvref_t<A>>,
                      "lariat: name this object before the co_await: g++ 12 destroys owning aggregates and closures "
                      "twice when they are temporaries of such an expression (GCC PR 107288)");
        set_wait_location(where);
        if constexpr (is_hidden<std::remove_cvref_t<A>>) {
            return traced_in(*this, awaited.unwrap(*this));
        } else if constexpr (HasCoAwait<A> || IsAwaiter<A>) {
            return traced_in(*this, std::forward<A>(awaited));
        } else {
            return ValueAwaiter<A>(std::forward<A>(awaited));
        }
    }

    static void* operator new(std::size_t size) {
        void* const frame = allocate_frame(size);
        newest_frame = {frame, size};
        return frame;
    }
    static void operator delete(void* frame, std::size_t size) noexcept { release_frame(frame, size); }

protected:
    DeferredPromiseBase() noexcept {
        set_context(own_context_);
        const auto offset =
            reinterpret_cast<std::uintptr_t>(this) - reinterpret_cast<std::uintptr_t>(newest_frame.start);
        if (offset < newest_frame.size) frame_size_ = newest_frame.size;
        older_ = newest_deferred_coroutine;
        if (older_) older_->newer_ = this;
        newest_deferred_coroutine = this;
    }
    ~DeferredPromiseBase() {
        (newer_ ? newer_->older_ : newest_deferred_coroutine) = older_;
        if (older_) older_->newer_ = newer_;
    }

    CancelContext own_context_{false};
    std::size_t frame_size_ = 0;  // 0 when a parameter's constructor made another coroutine

private:
    DeferredPromiseBase* older_;
    DeferredPromiseBase* newer_ = nullptr;
    const Reactor* reactor_ = Reactor::current();
};

template <class T>
class DeferredPromiseWithState : public DeferredPromiseBase {
public:
    Deferred<T> get_return_object(const std::source_location& where = std::source_location::current()) {
        set_body_location(where);
        state_ = DeferredState<T>::create(where);
        state_->add_feed();
        state_->set_coroutine(own_context_);
        return DeferredAccess::adopt(state_);
    }
    void unhandled_exception() noexcept { state_->fail(note_unhandled()); }

    class Finished {
    public:
        explicit Finished(DeferredPromiseWithState& promise) noexcept : promise_(promise) {}
        bool await_ready() const noexcept {
            promise_.raised() = Failure();
            promise_.state_->finish_coroutine(promise_.own_context_);
            return true;  // the frame goes at once
        }
        void await_suspend(std::coroutine_handle<>) const noexcept {}
        void await_resume() const noexcept {}

    private:
        DeferredPromiseWithState& promise_;
    };
    Finished final_suspend() noexcept { return Finished(*this); }

    [[nodiscard]] DeferredStage* deferred_stage() const noexcept { return state_; }
    /// True for locals and parameters of the coroutine whose frame this is.
    [[nodiscard]] bool has_in_frame(const void* frame, const void* object) const noexcept {
        return reinterpret_cast<std::uintptr_t>(object) - reinterpret_cast<std::uintptr_t>(frame) < frame_size_;
    }

protected:
    DeferredState<T>* state_ = nullptr;
};

template <class T>
class DeferredPromise final : public DeferredPromiseWithState<T> {
public:
    template <class... A>
    explicit DeferredPromise(A&...) noexcept {
        static_assert((safe_as_object<A> && ...),
                      "lariat: a lambda coroutine must not own captures, which die with the "
                      "lambda, before the coroutine goes on; pass them as parameters");
    }

    /// A T, something that converts to it, or a Failure.
    template <class V = T>
    void return_value(V&& value) {
        static_assert(!is_deferred<V>, "lariat: co_return the result itself: co_return co_await deferred");
        if constexpr (std::is_same_v<std::remove_cvref_t<V>, Failure>) {
            this->state_->fail(real_failure(std::forward<V>(value)));
        } else if constexpr (!is_deferred<V>) {
            static_assert(std::is_convertible_v<V&&, T>,
                          "lariat: what is returned must convert to the Deferred's type");
            this->state_->set_value(static_cast<T>(std::forward<V>(value)));
        }
    }
};

template <>
class DeferredPromise<void> final : public DeferredPromiseWithState<void> {
public:
    template <class... A>
    explicit DeferredPromise(A&...) noexcept {
        static_assert((safe_as_object<A> && ...),
                      "lariat: a lambda coroutine must not own captures, which die with the "
                      "lambda, before the coroutine goes on; pass them as parameters");
    }

    void return_void() noexcept { this->state_->set_nothing(); }
};

}  // namespace lariat::detail

template <class T, class... Parameters>
struct std::coroutine_traits<lariat::Deferred<T>, Parameters...> {
    static_assert(
        (lariat::detail::safe_as_parameter<Parameters> && ...),
        "lariat: an owning aggregate or closure cannot be a parameter of a coroutine: g++ 12 destroys it twice "
        "when it is a temporary (GCC PR 107288). Give it a constructor, or pass it by const reference");
    using promise_type = lariat::detail::DeferredPromise<T>;
};
