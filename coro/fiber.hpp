// SPDX-License-Identifier: MIT
// Fibers: functions that wait without being coroutines. in_fiber() runs a function on a stack of its own, as part of
// the Task that awaits it; fiber::await() waits for anything awaitable there, however deep in the function's calls. For
// code that cannot be turned into coroutines: a C library that calls back and wants its data at once, a recursive
// parser.
//
//     void parse(TcpStream& peer) { ... Buffer data = fiber::await(peer.read_some().within(30s)); ... }
//     co_await in_fiber(parse, std::ref(peer));
//     spawn(in_fiber, serve, std::move(peer));
//
// Threads: a fiber belongs to the reactor's thread that started it, and never moves.
#pragma once

#include <lariat/coro/as_result.hpp>
#include <lariat/coro/promise.hpp>
#include <lariat/coro/task.hpp>
#include <lariat/io/base/assert.hpp>
#include <lariat/io/base/fiber_context.hpp>
#include <lariat/runtime/running_place.hpp>

#include <coroutine>
#include <cstddef>
#include <functional>
#include <optional>
#include <source_location>
#include <tuple>
#include <type_traits>
#include <utility>

namespace lariat {

class FiberOptions {
public:
    /// Enough for parsers and C libraries; a function that recurses over what a peer sends bounds its depth.
    static constexpr std::size_t default_stack_size = 256 * 1024;

    /// In bytes, rounded up to pages and to FiberStack::smallest. Whoever needs more runs into a page that faults:
    /// SIGSEGV, never another's memory.
    FiberOptions& stack_size(std::size_t bytes) noexcept { return stack_size_ = bytes, *this; }

    [[nodiscard]] std::size_t stack_size() const noexcept { return stack_size_; }

private:
    std::size_t stack_size_ = default_stack_size;
};

/// A function that runs on a stack of its own, between its start and its end; what in_fiber() is made of.
///
/// Its coroutine is what the others see of it: the child of the Task that awaits it, whose place is that of the
/// fiber::await() that is going on. The coroutine stands at one co_await while the function runs on the other stack;
/// to resume it is to let the function go on, and when the function has ended, so does the coroutine.
class Fiber {
public:
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;

    /// The fiber that the calling code runs in; null where there is none and fiber::await() must not be used.
    [[nodiscard]] static Fiber* current() noexcept { return current_; }

    /// The same for fiber::await(): panics where nothing can wait.
    [[nodiscard]] static Fiber& waiting() noexcept;
    /// For fiber::await(): returns when the wait for `awaiter` is over. `where` is its place.
    template <class Awaiter>
    void wait_for(Awaiter& awaiter, const std::source_location& where) {
        if (!begin_wait(awaiter)) return;
        FiberContext::suspend();
        promise().set_body_location(where);  // the coroutine has gone through code of lariat's own
    }
    [[nodiscard]] detail::PromiseBase& promise() noexcept { return coroutine_.promise(); }

protected:
    explicit Fiber(const FiberOptions& options) : context_(enter, this, options.stack_size()) {}
    ~Fiber() = default;

    /// The function; on the fiber's stack.
    virtual void call() = 0;
    /// The fiber's coroutine: ends when call() has returned, with what it threw.
    [[nodiscard]] Task<> run();

private:
    using Coroutine = Task<>::Handle;
    class Turn;

    // While an await begins: what it runs on the fiber's stack are coroutines.
    class Beginning {
    public:
        explicit Beginning(Fiber& fiber) noexcept : fiber_(fiber) { fiber_.beginning_ = true; }
        Beginning(const Beginning&) = delete;
        Beginning& operator=(const Beginning&) = delete;
        ~Beginning() { fiber_.beginning_ = false; }

    private:
        Fiber& fiber_;
    };

    /// False when the result is there at once.
    template <class Awaiter>
    bool begin_wait(Awaiter& awaiter) {
        const Beginning beginning(*this);
        if (awaiter.await_ready()) return false;
        resumed_ = false;
        using Returned = decltype(awaiter.await_suspend(coroutine_));
        if constexpr (std::is_void_v<Returned>) {
            awaiter.await_suspend(coroutine_);
        } else if constexpr (std::is_same_v<Returned, bool>) {
            if (!awaiter.await_suspend(coroutine_)) return false;
        } else {
            awaiter.await_suspend(coroutine_).resume();
        }
        return !resumed_;
    }
    bool go_on(Coroutine self) noexcept;
    void note_failure() noexcept;
    static void enter(void* self) noexcept;

    static constinit thread_local Fiber* current_;

    FiberContext context_;
    Coroutine coroutine_;
    RunningPlace entered_at_;  // the running_place while no coroutine runs on the fiber's stack
    bool beginning_ = false;
    bool resumed_ = false;  // in the middle of the await_suspend that waits for it
    bool failed_ = false;
};

namespace fiber {

/// What `co_await awaitable` is in a coroutine: waits, gives the value or throws. Everything that a Task can await,
/// as_result() included. When the result is there at once, nothing is switched.
///
/// Cancellation: that of the Task which awaits the fiber; throws Cancelled. Errors: those of the awaitable. They must
/// not pass through C: a callback that C code calls catches, keeps the std::exception_ptr, makes the C function
/// return, and whoever called that one throws.
/// Threads: a fiber's only. Elsewhere, and in a coroutine that happens to run on a fiber's stack, it panics: there it
/// is co_await.
template <class A>
decltype(auto) await(A&& awaitable, const std::source_location& where = std::source_location::current()) {
    static_assert(!(std::is_lvalue_reference_v<A> && detail::is_task<std::remove_cvref_t<A>>),
                  "a Task is awaited once and gives its result away: write fiber::await(std::move(task))");
    Fiber& self = Fiber::waiting();
    self.promise().set_body_location(where);
    auto&& awaited = detail::traced_in(self.promise(), std::forward<A>(awaitable));
    auto&& awaiter = detail::awaiter_of(static_cast<decltype(awaited)&&>(awaited));
    self.wait_for(awaiter, where);
    return awaiter.await_resume();
}

}  // namespace fiber

namespace detail {

template <class F, class... A>
struct FiberResult {
    static_assert(std::is_invocable_v<F, A...>,
                  "the function cannot be called with copies of these arguments; write std::ref(x) for a parameter "
                  "that is a reference, and std::move(x) for what cannot be copied");
    using type = std::decay_t<std::invoke_result_t<F, A...>>;
    static_assert(!is_task<type>, "a coroutine needs no fiber: await it, or spawn it");
};
template <class F, class... A>
using fiber_result = typename FiberResult<F, A...>::type;

template <class T, class F, class... A>
class FiberCall final : public Fiber {
public:
    FiberCall(const FiberOptions& options, F& function, A&... arguments)
        : Fiber(options), function_(function), arguments_(arguments...) {}

    using Fiber::run;
    T take() {
        if constexpr (!std::is_void_v<T>) return std::move(*result_);
    }

private:
    struct Nothing {};

    void call() override {
        std::apply(
            [this](A&... arguments) {
                if constexpr (std::is_void_v<T>) {
                    std::invoke(std::move(function_), std::move(arguments)...);
                } else {
                    result_.emplace(std::invoke(std::move(function_), std::move(arguments)...));
                }
            },
            arguments_);
    }

    F& function_;
    std::tuple<A&...> arguments_;
    std::optional<std::conditional_t<std::is_void_v<T>, Nothing, T>> result_;
};

template <class T, class F, class... A>
Task<T> run_in_fiber(FiberOptions options, F function, A... arguments) {
    FiberCall<T, F, A...> call(options, function, arguments...);
    co_await Hidden(call.run());
    co_return call.take();
}

class InFiber {
public:
    template <class F, class... A>
    requires(!std::is_same_v<std::remove_cvref_t<F>, FiberOptions>)
    auto operator()(F&& function, A&&... arguments) const {
        return (*this)(FiberOptions(), std::forward<F>(function), std::forward<A>(arguments)...);
    }
    template <class F, class... A>
    auto operator()(const FiberOptions& options, F&& function, A&&... arguments) const {
        using T = fiber_result<std::decay_t<F>, std::decay_t<A>...>;
        return run_in_fiber<T, std::decay_t<F>, std::decay_t<A>...>(options, std::forward<F>(function),
                                                                    std::forward<A>(arguments)...);
    }
};

}  // namespace detail

/// `in_fiber(function, arguments...)` is a Task that calls the function on a stack of its own and gives its result. It
/// is started, bounded, combined and spawned as any other: spawn(in_fiber, function, arguments...).
/// `in_fiber(FiberOptions().stack_size(bytes), function, arguments...)` chooses the stack.
///
/// Lifetime: the function and the arguments are copied or moved and live until the Task is destroyed; std::ref(x) for
/// references. What the function returns is copied or moved out. The stack goes back to its thread when the function
/// has returned; FiberStack says how many are kept.
/// Cancellation: reaches what the function waits for; a function that never waits is never interrupted. A fiber runs to
/// its end, as every Task. Errors: what the function throws; std::bad_alloc when there is no stack.
inline constexpr detail::InFiber in_fiber;

}  // namespace lariat
