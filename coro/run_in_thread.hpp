// SPDX-License-Identifier: MIT
// run_in_thread(): work that blocks, in a thread of the reactor's pool, awaited as if it were a function call.
#pragma once

#include <lariat/coro/operation.hpp>
#include <lariat/runtime/failure.hpp>
#include <lariat/runtime/mailbox.hpp>

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <source_location>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>

namespace lariat {

namespace detail {

class RunInThreadBase;

/// The work, shared by the coroutine and the pool. It belongs to the coroutine, unless that gives up before the work
/// has begun: then to whichever of the two lets go last. Whoever moves `state_` away from queued decides.
class ThreadJob : private Mail {
public:
    ThreadJob(const ThreadJob&) = delete;
    ThreadJob& operator=(const ThreadJob&) = delete;

    /// On the reactor's thread, once.
    void queue(Reactor& reactor, RunInThreadBase& waiter);
    /// Gives up work that has not begun; the job may be gone then. False when it has begun: the waiter hears of its
    /// end.
    bool withdraw() noexcept;
    void request_stop() noexcept { stop_.request_stop(); }
    [[nodiscard]] const Failure& failure() const noexcept { return failure_; }

    static void* operator new(std::size_t size) { return allocate_frame(size); }
    static void operator delete(void* memory, std::size_t size) noexcept { release_frame(memory, size); }
    virtual ~ThreadJob() = default;

protected:
    ThreadJob() noexcept : Mail(on_ended) {}

    [[nodiscard]] std::stop_token stop_token() const noexcept { return stop_.get_token(); }
    virtual void call() = 0;
    /// Destroys the function and the arguments.
    virtual void forget_call() noexcept = 0;

private:
    class Ticket;
    enum class State : std::uint8_t { queued, begun, withdrawn, dropped };

    bool leave_queue(State next) noexcept {
        State expected = State::queued;
        return state_.compare_exchange_strong(expected, next, std::memory_order_acq_rel);
    }
    void let_go() noexcept;
    void run() noexcept;
    static void on_ended(Mail& mail) noexcept;

    Reactor* reactor_ = nullptr;
    RunInThreadBase* waiter_ = nullptr;
    std::uint64_t number_ = 0;  // among the pieces of work of the reactor
    Failure failure_;
    std::stop_source stop_;
    std::atomic<State> state_{State::queued};
    std::atomic<bool> let_go_{false};  // by one side of work that was withdrawn
};

/// The wait. Not an Operation: it does not always end when it is cancelled.
class RunInThreadBase : public Awaiter {
public:
    template <LariatPromise P>
    bool await_suspend(std::coroutine_handle<P> waiter) noexcept {
        raised_ = &waiter.promise().raised();
        const CancelContext& context = *waiter.promise().context();
        if (context.is_cancelled()) {
            cancelled_ = context.reason();
            return false;
        }
        suspend_here(waiter);
        begin();
        return true;
    }
    void ended() noexcept { resume(); }

protected:
    explicit RunInThreadBase(ThreadJob* job) noexcept : job_(job) {}
    ~RunInThreadBase() { delete job_; }

    void check() const {
        if (cancelled_) throw Cancelled(*cancelled_);
        if (!job_->failure()) return;
        *raised_ = job_->failure();
        raised_->raise();
    }
    [[nodiscard]] ThreadJob& job() noexcept { return *job_; }

private:
    void begin() noexcept;
    void cancel(CancelReason reason) noexcept final;
    WaitInfo info() const noexcept final { return {.verb = "run_in_thread"}; }

    ThreadJob* job_;  // null when it was withdrawn
    Failure* raised_ = nullptr;
    std::optional<CancelReason> cancelled_;
};

template <class F, class... A>
struct ThreadCall {
    static constexpr bool takes_stop_token = std::is_invocable_v<F, std::stop_token, A...>;
    static_assert(takes_stop_token || std::is_invocable_v<F, A...>,
                  "the function cannot be called with copies of these arguments; write std::ref(x) for a parameter "
                  "that is a reference, and std::move(x) for what cannot be copied");
    static_assert(safe_as_temporary<F> && (safe_as_temporary<A> && ...),
                  "an aggregate or a lambda that owns something; g++ 12 destroys such temporaries of a co_await "
                  "expression twice (PR 107288): capture by reference, which is safe here, or pass arguments");
    template <class G>
    static decltype(auto) call(G&& function, std::stop_token stop, A&&... arguments) {
        if constexpr (takes_stop_token) {
            return std::invoke(std::forward<G>(function), std::move(stop), std::move(arguments)...);
        } else {
            return std::invoke(std::forward<G>(function), std::move(arguments)...);
        }
    }
    using type = std::decay_t<decltype(call(std::declval<F>(), std::stop_token(), std::declval<A>()...))>;
};

template <class T>
class ThreadJobWithResult : public ThreadJob {
public:
    T take() {
        if constexpr (!std::is_void_v<T>) return std::move(*result_);
    }

protected:
    struct Nothing {};
    std::optional<std::conditional_t<std::is_void_v<T>, Nothing, T>> result_;
};

template <class T, class F, class... A>
class ThreadJobOf final : public ThreadJobWithResult<T> {
public:
    template <class G, class... B>
    explicit ThreadJobOf(std::in_place_t, G&& function, B&&... arguments)
        : call_(std::in_place, std::forward<G>(function), std::tuple<A...>(std::forward<B>(arguments)...)) {}

private:
    void call() override {
        std::apply(
            [this](A&... arguments) {
                if constexpr (std::is_void_v<T>) {
                    ThreadCall<F, A...>::call(std::move(call_->first), this->stop_token(), std::move(arguments)...);
                } else {
                    this->result_.emplace(ThreadCall<F, A...>::call(std::move(call_->first), this->stop_token(),
                                                                    std::move(arguments)...));
                }
            },
            call_->second);
    }
    void forget_call() noexcept override { call_.reset(); }

    std::optional<std::pair<F, std::tuple<A...>>> call_;
};

template <class T>
class RunInThread final : public RunInThreadBase {
public:
    explicit RunInThread(ThreadJobWithResult<T>* job) noexcept : RunInThreadBase(job) {}

    AwaitInPlace<RunInThread> operator co_await() && noexcept { return AwaitInPlace<RunInThread>(*this); }
    T await_resume() {
        check();
        return static_cast<ThreadJobWithResult<T>&>(job()).take();
    }
};

}  // namespace detail

/// Calls `function(arguments...)` in a thread of the reactor's pool and waits for its result. A function whose first
/// parameter is a std::stop_token learns of a cancellation by it.
///
/// Lifetime: the function and the arguments are copied or moved, and destroyed on the reactor's thread. The await goes
/// on only when the function has returned or will never begin, whatever happens: it may use what the caller's frame
/// holds, by reference.
/// Cancellation: work that has not begun never does. Of work that has begun the result is waited for and delivered;
/// the stop token asks it to hurry. Shutdown waits for it, too.
/// Threads: what the function touches must not belong to a reactor. Errors: what it throws.
template <class F, class... A>
[[nodiscard]] auto run_in_thread(F&& function, A&&... arguments) {
    using T = typename detail::ThreadCall<std::decay_t<F>, std::decay_t<A>...>::type;
    return detail::RunInThread<T>(new detail::ThreadJobOf<T, std::decay_t<F>, std::decay_t<A>...>(
        std::in_place, std::forward<F>(function), std::forward<A>(arguments)...));
}

}  // namespace lariat
