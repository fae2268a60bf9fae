// SPDX-License-Identifier: MIT
// Operation: what every single awaitable verb (sleep, read_some, accept, connect, ...) has in common: it refuses to
// begin in a cancelled Task, it can be cancelled while it waits, and `.within(duration)` bounds it.
//
// Whatever comes first wins: a result, a cancellation or the deadline. The verbs are classes with constructors, never
// aggregates, and `within` returns the same object, because of what g++ 12 does to temporaries of a co_await
// expression.
#pragma once

#include <lariat/coro/promise.hpp>
#include <lariat/io/base/clock.hpp>

#include <coroutine>
#include <cstdint>

namespace lariat {

class Reactor;

namespace detail {

/// Reactor::current(), or a panic that names `who` when the thread runs none.
Reactor& this_reactor(const char* who) noexcept;

/// Awaits an awaiter where it is. g++ 12 moves awaiters that reach it by reference, as they do behind await_transform()
/// and within(), into the frame; ours cannot be moved.
template <class A>
class AwaitInPlace {
public:
    explicit AwaitInPlace(A& awaiter) noexcept : awaiter_(awaiter) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class P>
    bool await_suspend(std::coroutine_handle<P> waiter) noexcept {
        static_assert(LariatPromise<P>, "only coroutines of lariat (Task, Deferred) can await this");
        return awaiter_.await_suspend(waiter);
    }
    decltype(auto) await_resume() { return awaiter_.await_resume(); }

private:
    A& awaiter_;
};

/// The part of an Operation that does not depend on the verb.
class OperationBase : public Awaiter {
protected:
    OperationBase() noexcept = default;
    ~OperationBase() {
        if (deadline_) drop_deadline();
    }

    /// False when the coroutine must not begin a wait; check() then throws.
    bool admit(const CancelContext& context) noexcept {
        if (!context.is_cancelled()) return true;
        outcome_ = Outcome::cancelled;
        reason_ = context.reason();
        return false;
    }
    /// Resumes the waiter with whatever the verb achieved. The last thing a verb does: the awaiter dies inside.
    void finish() noexcept {
        if (deadline_) drop_deadline();
        resume();
    }
    /// For results that come while other code runs: fixes the outcome, which no cancellation and no deadline takes away
    /// any more. finish() follows, from the loop.
    void settle() noexcept {
        if (deadline_) drop_deadline();
        settle_wait();
    }
    /// Throws Cancelled or TimedOut when that is how the wait ended. First line of every await_resume.
    void check() const {
        if (outcome_ != Outcome::result) raise();
    }

    void set_limit(Duration limit) noexcept { limit_ = limit; }
    void arm_deadline() noexcept {
        if (limit_ != unlimited) arm_deadline_now();
    }

    /// Ends the wait without a result: true when nobody will call finish() any more. False when something outside still
    /// uses what the verb holds: finish() then follows, behind prevail() if there was a result after all.
    virtual bool withdraw() noexcept = 0;
    /// A result came although a cancellation or the deadline had asked for the end.
    void prevail() noexcept { outcome_ = Outcome::result; }
    /// The verb, for the text of TimedOut: "read_some timed out after 30 s".
    [[nodiscard]] virtual const char* verb() const noexcept = 0;

private:
    class Deadline;
    enum class Outcome : std::uint8_t { result, cancelled, timed_out };
    static constexpr Duration unlimited = Duration::max();

    void cancel(CancelReason reason) noexcept final;
    WaitInfo info() const noexcept final { return {.verb = verb()}; }
    void time_out() noexcept;
    void end_early(Outcome outcome, CancelReason reason) noexcept;
    void arm_deadline_now() noexcept;
    void drop_deadline() noexcept;
    [[noreturn]] void raise() const;

    Duration limit_ = unlimited;
    Deadline* deadline_ = nullptr;  // exists only while a bounded verb really waits
    Outcome outcome_ = Outcome::result;
    CancelReason reason_ = CancelReason::requested;
};

/// Base of a verb. `Verb` has `bool begin() noexcept`, which is true when the result is there at once and otherwise
/// sees to it that finish() will be called, withdraw(), verb() and await_resume(). `Base` is OperationBase or derived
/// from it.
template <class Verb, class Base = OperationBase>
class Operation : public Base {
public:
    /// Bounds this verb: TimedOut is raised when nothing came within `limit`. The timer is armed only when the verb
    /// really waits; what arrived before the limit was noticed to have passed is delivered.
    [[nodiscard]] Verb&& within(Duration limit) && noexcept {
        this->set_limit(limit);
        return static_cast<Verb&&>(*this);
    }

    /// Operations are awaited where they are made, once.
    AwaitInPlace<Verb> operator co_await() && noexcept { return AwaitInPlace<Verb>(static_cast<Verb&>(*this)); }

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <LariatPromise P>
    bool await_suspend(std::coroutine_handle<P> waiter) noexcept {
        if (!this->admit(*waiter.promise().context())) return false;
        if (static_cast<Verb&>(*this).begin()) return false;
        this->suspend_here(waiter);
        this->arm_deadline();
        return true;
    }

protected:
    using Base::Base;
    Operation() noexcept = default;
    ~Operation() = default;
};

}  // namespace detail
}  // namespace lariat
