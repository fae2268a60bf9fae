// SPDX-License-Identifier: MIT
// TaskScope: tasks that end before the scope does. `co_await with_scope(body, args...)` calls the body with a
// TaskScope& to spawn into and returns when the body and every task have ended, whatever happens. A scope is never a
// plain local: its destructor could not wait, and its tasks would outlive what was declared before it.
//
// Threads: the reactor's.
#pragma once

#include <lariat/coro/join_handle.hpp>
#include <lariat/coro/sync/wait_queue.hpp>
#include <lariat/coro/task.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace lariat {

/// What a scope does when one of its tasks fails. `Cancelled` is not a failure.
enum class ScopePolicy : std::uint8_t {
    fail_fast,   ///< cancel all the others; with_scope() throws the first failure once everything has ended
    keep_going,  ///< log it and go on, for servers; a failure of the body still ends the scope
};

class TaskScope;

namespace detail {

class RunScope;
struct ScopeMaker;

/// A spawn that waits until there is room in its scope.
class SpawnWait : public QueuedWait {
public:
    [[nodiscard]] std::size_t limit() const noexcept { return limit_; }

protected:
    SpawnWait(TaskScope& scope, std::size_t limit) noexcept : scope_(scope), limit_(limit) {}
    ~SpawnWait() = default;

    bool begin() noexcept;
    bool withdraw() noexcept override;
    const char* verb() const noexcept override { return "spawn_when_below"; }
    [[nodiscard]] TaskScope& scope() noexcept { return scope_; }

private:
    TaskScope& scope_;
    std::size_t limit_;
};

template <class F, class... A>
class SpawnWhenBelow;

}  // namespace detail

class TaskScope final : private detail::RootOwner {
public:
    /// Calls `function(arguments...)` and runs the Task it returns until its first wait, inside this call.
    ///
    /// Lifetime: the function and the arguments are copied or moved and live until the task has ended, which is before
    /// with_scope() returns: std::ref to what lives outside the scope is safe. Capturing lambdas are rejected.
    /// Errors: go to the scope as its policy says, and also to whoever joins the handle.
    template <class F, class... A>
    auto spawn(F&& function, A&&... arguments) -> JoinHandle<detail::spawn_result<F, A...>> {
        ++tasks_;
        try {
            return detail::begin_root(*this, std::forward<F>(function), std::forward<A>(arguments)...);
        } catch (...) {
            --tasks_;
            throw;
        }
    }
    /// Waits until fewer than `limit` tasks of the scope run, the body not counted, and spawns then; gives the
    /// JoinHandle. First come, first served.
    ///
    /// Cancellation: nothing is spawned. Errors: UsageError when `limit` is zero.
    template <class F, class... A>
    [[nodiscard]] auto spawn_when_below(std::size_t limit, F&& function, A&&... arguments) {
        check_limit(limit);
        return detail::SpawnWhenBelow<std::decay_t<F>, std::decay_t<A>...>(*this, limit, std::forward<F>(function),
                                                                           std::forward<A>(arguments)...);
    }

    /// Cancels the body and every task, those spawned later included; with_scope() then returns normally unless
    /// something failed.
    void cancel(CancelReason reason = CancelReason::requested) noexcept;

private:
    friend class detail::RunScope;
    friend struct detail::ScopeMaker;
    friend class detail::SpawnWait;
    template <class F, class... A>
    friend class detail::SpawnWhenBelow;

    TaskScope(Reactor& reactor, ScopePolicy policy) noexcept : RootOwner(reactor), policy_(policy) {}
    ~TaskScope() = default;

    void root_ended(detail::TaskRoot& root) noexcept override;
    void failed(detail::TaskRoot& root) noexcept;
    static void check_limit(std::size_t limit);
    [[nodiscard]] bool has_room(std::size_t limit) const noexcept { return tasks_ + promised_ < limit; }
    void serve_spawns() noexcept;

    detail::RunScope* waiting_ = nullptr;
    const detail::TaskRoot* body_ = nullptr;
    Failure failure_;
    detail::WaitQueue spawns_{"the room of a TaskScope"};
    std::size_t tasks_ = 0;     // without the body
    std::size_t promised_ = 0;  // about to be spawned
    ScopePolicy policy_;
    bool cancel_called_ = false;  // by cancel(), not from outside and not because of a failure
};

namespace detail {

template <class F, class... A>
class SpawnWhenBelow final : public Operation<SpawnWhenBelow<F, A...>, SpawnWait> {
    using Base = Operation<SpawnWhenBelow<F, A...>, SpawnWait>;

public:
    template <class G, class... B>
    SpawnWhenBelow(TaskScope& scope, std::size_t limit, G&& function, B&&... arguments)
        : Base(scope, limit), function_(std::forward<G>(function)), arguments_(std::forward<B>(arguments)...) {}

    JoinHandle<spawn_result<F, A...>> await_resume() {
        this->check();
        --this->scope().promised_;
        return std::apply([this](A&... each) { return this->scope().spawn(std::move(function_), std::move(each)...); },
                          arguments_);
    }

private:
    friend Base;

    F function_;
    std::tuple<A...> arguments_;
};

/// Starts the body of a scope and waits until all of it has ended. A cancellation from outside is handed on to the body
/// and the tasks; the wait itself is never cut short.
class RunScope : public Awaiter {
public:
    explicit RunScope(TaskScope& scope) noexcept : scope_(scope) {}

    AwaitInPlace<RunScope> operator co_await() && noexcept { return AwaitInPlace<RunScope>(*this); }

    template <LariatPromise P>
    bool await_suspend(std::coroutine_handle<P> waiter) noexcept {
        raised_ = &waiter.promise().raised();
        const CancelContext& context = *waiter.promise().context();
        if (context.is_cancelled()) scope_.cancel_roots(context.reason());
        begin_body();
        if (!scope_.has_roots()) return false;
        scope_.waiting_ = this;
        suspend_here(waiter);
        return true;
    }
    /// Throws the failure of the scope, if any.
    void await_resume() const {
        if (!scope_.failure_) return;
        *raised_ = scope_.failure_;
        raised_->raise();
    }
    void ended() noexcept { resume(); }

protected:
    ~RunScope() = default;
    virtual void begin_body() noexcept = 0;
    void set_body(const TaskRoot& body) noexcept { scope_.body_ = &body; }

private:
    void cancel(CancelReason reason) noexcept final { scope_.cancel_roots(reason); }
    WaitInfo info() const noexcept final { return {.verb = "with_scope", .children = &scope_}; }

    TaskScope& scope_;
    Failure* raised_ = nullptr;
};

template <class Root>
class RunScopeWith final : public RunScope {
public:
    RunScopeWith(TaskScope& scope, Root& body) noexcept : RunScope(scope), body_(body) { set_body(body); }

private:
    void begin_body() noexcept override { body_.begin(); }

    Root& body_;
};

/// Gives the scope to the body as its first argument.
template <class F>
class ScopeBody {
public:
    ScopeBody(TaskScope& scope, F&& body) noexcept(std::is_nothrow_move_constructible_v<F>)
        : scope_(&scope), body_(std::move(body)) {}

    template <class... A>
    auto operator()(A&&... arguments) {
        return std::invoke(body_, *scope_, std::forward<A>(arguments)...);
    }

private:
    TaskScope* scope_;
    F body_;
};

/// A scope in the frame of with_scope(), the only place where one may live.
struct ScopeMaker {
    explicit ScopeMaker(ScopePolicy policy) noexcept : scope(this_reactor("with_scope()"), policy) {}

    RootOwner& owner() noexcept { return scope; }
    /// True when the body was cancelled by nobody but TaskScope::cancel(), which is a normal end.
    [[nodiscard]] bool ended_by_itself(const TaskRoot& body) const noexcept {
        return scope.cancel_called_ && body.failure() && !body.has_failed();
    }

    TaskScope scope;
};

template <class F, class... A>
struct ScopeResult {
    static_assert(
        std::is_invocable_v<F&, TaskScope&, A...>,
        "the body of a scope is called with a TaskScope& and copies of the arguments; write std::ref(x) for a "
        "parameter that is a reference");
    using Returned = std::invoke_result_t<F&, TaskScope&, A...>;
    static_assert(is_task<Returned>, "the body of a scope must return a Task");
    using type = typename Returned::value_type;
};

}  // namespace detail

/// Calls `body(scope, arguments...)`, and returns its result when it and everything spawned into `scope` have ended.
///
/// Lifetime: as with a function call, what the caller's frame holds outlives the body and the tasks; the body may be a
/// lambda that captures by reference.
/// Cancellation: cancels the body and every task, and returns when they have ended.
/// Errors: the first failure, see ScopePolicy. Further failures are logged.
template <class F, class... A>
auto with_scope(ScopePolicy policy, F body, A... arguments) -> Task<typename detail::ScopeResult<F, A...>::type> {
    using T = typename detail::ScopeResult<F, A...>::type;
    detail::ScopeMaker maker(policy);
    auto& root = *new detail::CallRoot<T, detail::ScopeBody<F>, A...>(
        maker.owner(), detail::ScopeBody<F>(maker.scope, std::move(body)), std::move(arguments)...);
    root.acquire();
    const JoinHandle<T> handle(root);
    co_await detail::Hidden(detail::RunScopeWith(maker.scope, root));
    if constexpr (std::is_void_v<T>) {
        if (maker.ended_by_itself(root)) co_return;
    }
    co_return root.take();
}

template <class F, class... A>
requires(!std::is_same_v<F, ScopePolicy>)
auto with_scope(F body, A... arguments) {
    return with_scope(ScopePolicy::fail_fast, std::move(body), std::move(arguments)...);
}

}  // namespace lariat
