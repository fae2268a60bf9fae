// SPDX-License-Identifier: MIT
// Task<T>: the coroutine type of new code. Lazy: calling the function makes a frame, the first await starts it. A Task
// belongs to whoever awaits it or to a TaskScope, is awaited once, and once started always runs to its end.
//
// The start is hybrid: the parent resumes the child inside its own await_suspend and goes on at once when the child
// needed no waiting; otherwise the child transfers to the parent at its end. Loops of awaits therefore run in bounded
// stack in every build mode, also where the compiler makes no tail calls (GCC PR 100897). The depth of nested awaits
// that need no waiting is limited like the depth of function calls.
//
// Threads: the one it was started on.
#pragma once

#include <lariat/coro/initial_awaiter.hpp>
#include <lariat/coro/promise.hpp>
#include <lariat/io/base/assert.hpp>

#include <coroutine>
#include <cstdint>
#include <memory>
#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>

namespace lariat {

template <class T>
class Task;

namespace detail {

template <class>
inline constexpr bool is_task = false;
template <class T>
inline constexpr bool is_task<Task<T>> = true;

/// What a root does when its Task has ended; see coro/task_root.hpp.
class TaskEnd {
public:
    virtual void task_ended() noexcept = 0;

protected:
    ~TaskEnd() = default;
};

/// The part of a Task's promise that does not depend on its result.
class TaskPromiseBase : public PromiseBase {
public:
    //  created --resume by the parent--> running --parent suspends--> awaited --> ended
    //      \                                \---ends before---------------------/  /
    //       \---resume by a root--> rooted --------------------------------------/
    // A generator pauses where a Task ends: running or awaited --> paused --resume by the next parent--> running.
    enum class State : std::uint8_t { created, running, awaited, rooted, paused, ended };

    class FinalAwaiter {
    public:
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        template <class P>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<P> self) const noexcept {
            return static_cast<TaskPromiseBase&>(self.promise()).end();
        }
        void await_resume() const noexcept {}
    };

    [[nodiscard]] InitialAwaiter<true> initial_suspend() const noexcept { return InitialAwaiter<true>(*this); }
    [[nodiscard]] FinalAwaiter final_suspend() const noexcept { return {}; }
    void unhandled_exception() noexcept {
        note_unhandled();
        failed_ = true;
    }

    /// Every `co_await` of a Task passes here: its place is noted, and awaitables that g++ 12 would destroy twice are
    /// rejected.
    template <class A>
    decltype(auto) await_transform(A&& awaitable, std::source_location where = std::source_location::current()) {
        static_assert(!(std::is_lvalue_reference_v<A> && is_task<std::remove_cvref_t<A>>),
                      "a Task is awaited once and gives its result away: write co_await std::move(task)");
        static_assert(safe_as_temporary<std::remove_cvref_t<A>>,
                      "this awaitable is an aggregate that owns something; g++ 12 destroys such temporaries of a "
                      "co_await expression twice (PR 107288): give the class a constructor");
        if constexpr (is_hidden<std::remove_cvref_t<A>>) {
            return traced_in(*this, awaitable.unwrap(*this));
        } else {
            set_wait_location(where);
            return traced_in(*this, static_cast<A&&>(awaitable));
        }
    }

    [[nodiscard]] State state() const noexcept { return state_; }
    /// Ended with an exception, which raised() holds.
    [[nodiscard]] bool has_failed() const noexcept { return failed_; }

    /// Runs until the first real wait. True when the Task has ended, or paused, and its awaiter goes on at once.
    bool start_awaited(std::coroutine_handle<> self, std::coroutine_handle<> parent) noexcept {
        state_ = State::running;
        self.resume();
        if (state_ != State::running) return true;
        continuation_ = parent;
        state_ = State::awaited;
        return false;
    }
    void start_rooted(std::coroutine_handle<> self, TaskEnd& root) noexcept {
        root_ = &root;
        state_ = State::rooted;
        self.resume();
    }

protected:
    TaskPromiseBase() noexcept : root_(nullptr) {}
    ~TaskPromiseBase() = default;

    // Asked in the promise's constructor: g++ shows it the closure of a lambda coroutine, which is complete there only.
    template <class... A>
    static constexpr void reject_owning_lambdas() noexcept {
        static_assert((safe_as_object<A> && ...),
                      "the captures of this lambda coroutine die with the lambda, before the coroutine has ended: pass "
                      "them as parameters");
    }
    void throw_if_failed() {
        if (failed_) raised().raise();
    }
    /// What goes on when a generator has a value.
    std::coroutine_handle<> pause() noexcept { return leave(State::paused); }

private:
    std::coroutine_handle<> end() noexcept { return leave(State::ended); }
    std::coroutine_handle<> leave(State next) noexcept {
        switch (std::exchange(state_, next)) {
        case State::awaited: return continuation_;
        case State::rooted: root_->task_ended(); break;
        default: break;
        }
        return std::noop_coroutine();
    }

    union {
        std::coroutine_handle<> continuation_;  // awaited
        TaskEnd* root_;                         // rooted
    };
    State state_ = State::created;
    bool failed_ = false;
};

template <class T>
class TaskPromise final : public TaskPromiseBase {
public:
    template <class... A>
    explicit TaskPromise(A&...) noexcept {
        reject_owning_lambdas<A...>();
    }
    /// Notes the place of the coroutine itself, so that a Task which has not waited yet has one too.
    Task<T> get_return_object(const std::source_location& where = std::source_location::current()) noexcept;

    template <class U = T>
    requires std::is_constructible_v<T, U&&>
    void return_value(U&& value) {
        value_.emplace(std::forward<U>(value));
    }

    /// The result; throws what the Task ended with.
    T take() {
        throw_if_failed();
        return std::move(*value_);
    }

private:
    std::optional<T> value_;
};

template <class T>
class TaskPromise<T&> final : public TaskPromiseBase {
public:
    template <class... A>
    explicit TaskPromise(A&...) noexcept {
        reject_owning_lambdas<A...>();
    }
    Task<T&> get_return_object(const std::source_location& where = std::source_location::current()) noexcept;
    void return_value(T& value) noexcept { value_ = std::addressof(value); }
    T& take() {
        throw_if_failed();
        return *value_;
    }

private:
    T* value_ = nullptr;
};

template <>
class TaskPromise<void> final : public TaskPromiseBase {
public:
    template <class... A>
    explicit TaskPromise(A&...) noexcept {
        reject_owning_lambdas<A...>();
    }
    Task<void> get_return_object(const std::source_location& where = std::source_location::current()) noexcept;
    void return_void() const noexcept {}
    void take() { throw_if_failed(); }
};

/// Owns the frame of a Task that is being awaited, until the end of the await expression.
template <class T>
class TaskAwaiter {
public:
    using Handle = std::coroutine_handle<TaskPromise<T>>;

    explicit TaskAwaiter(Handle task) noexcept : task_(task) {}
    TaskAwaiter(const TaskAwaiter&) = delete;
    TaskAwaiter& operator=(const TaskAwaiter&) = delete;
    ~TaskAwaiter() {
        if (task_.promise().state() != TaskPromiseBase::State::ended) {
            LARIAT_CHECK(task_.promise().state() == TaskPromiseBase::State::created,
                         "a started Task was destroyed before its end; cancel it and wait for it instead");
        }
        task_.destroy();
    }

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class P>
    bool await_suspend(std::coroutine_handle<P> parent) noexcept {
        static_assert(LariatPromise<P>, "only coroutines of lariat (Task, Deferred) can await a Task");
        return !start(parent, *parent.promise().context());
    }
    T await_resume() {
        auto& promise = task_.promise();
        if (promise.has_failed()) promise.parent()->raised() = promise.raised();
        return promise.take();
    }

protected:
    /// Runs the Task until its first real wait, which `context` can cancel. True when it has ended.
    template <LariatPromise P>
    bool start(std::coroutine_handle<P> parent, CancelContext& context) noexcept {
        TaskPromise<T>& promise = task_.promise();
        promise.set_parent(parent.promise());
        promise.set_context(context);
        return promise.start_awaited(task_, parent);
    }
    [[nodiscard]] TaskPromise<T>& promise() const noexcept { return task_.promise(); }

private:
    Handle task_;
};

}  // namespace detail

/// A lazy coroutine with a result of type T, or an exception.
///
/// Lifetime: parameters taken by reference must outlive the Task; pass by value what might not.
/// Cancellation: reaches whatever the innermost Task waits for; a Task that never waits is never interrupted.
template <class T = void>
class [[nodiscard("a Task does nothing until it is awaited or spawned")]] Task {
public:
    using promise_type = detail::TaskPromise<T>;
    using value_type = T;
    using Handle = std::coroutine_handle<promise_type>;

    explicit Task(Handle frame) noexcept : frame_(frame) {}
    Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
    Task& operator=(Task&& other) noexcept {
        if (this != &other) {
            if (frame_) frame_.destroy();
            frame_ = std::exchange(other.frame_, nullptr);
        }
        return *this;
    }
    /// Fine when it was never started: the parameters are destroyed, the body never runs.
    ~Task() {
        if (frame_) frame_.destroy();
    }

    /// False when it was awaited, spawned or moved from.
    [[nodiscard]] bool is_valid() const noexcept { return frame_ != nullptr; }

    /// Starts it and waits for its end; gives its result or throws what it threw.
    auto operator co_await() && noexcept { return detail::TaskAwaiter<T>(release()); }
    auto operator co_await() & = delete;  // a Task is awaited once: co_await std::move(task)

    /// Gives the frame away, unstarted; for lariat's own starters of Tasks.
    [[nodiscard]] Handle release() noexcept {
        LARIAT_CHECK(frame_ != nullptr, "this Task was awaited, spawned or moved away before; a Task runs once");
        return std::exchange(frame_, nullptr);
    }

private:
    Handle frame_;  // never started: starting takes it away
};

template <class T>
Task<T> detail::TaskPromise<T>::get_return_object(const std::source_location& where) noexcept {
    set_body_location(where);
    return Task<T>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}
template <class T>
Task<T&> detail::TaskPromise<T&>::get_return_object(const std::source_location& where) noexcept {
    set_body_location(where);
    return Task<T&>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}
inline Task<void> detail::TaskPromise<void>::get_return_object(const std::source_location& where) noexcept {
    set_body_location(where);
    return Task<void>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

}  // namespace lariat

/// Finds the promise of a Task, and rejects parameters that g++ 12 destroys twice.
template <class T, class... Parameters>
struct std::coroutine_traits<lariat::Task<T>, Parameters...> {
    static_assert((lariat::detail::safe_as_parameter<Parameters> && ...),
                  "a parameter of this coroutine is an aggregate or a lambda that owns something; g++ 12 destroys such "
                  "temporaries twice (PR 107288): give the class a constructor");
    using promise_type = lariat::detail::TaskPromise<T>;
};
