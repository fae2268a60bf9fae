// SPDX-License-Identifier: MIT
// What the promises of all coroutine types share: who awaits them, where they wait, how they are cancelled, what they
// failed with and the places that passed, and the guards against constructs that g++ 12 miscompiles.
#pragma once

#include <lariat/coro/cancel.hpp>
#include <lariat/coro/frame_allocator.hpp>
#include <lariat/runtime/failure.hpp>
#include <lariat/runtime/running_place.hpp>
#include <lariat/runtime/task_report.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace lariat {

std::string dump_tasks(Reactor& reactor);  // coro/task_tree.hpp

}  // namespace lariat

namespace lariat::detail {

/// A program with coroutines has them in Reactor::report().
inline const bool tasks_are_reported = (set_describe_tasks(dump_tasks), true);

template <class T>
consteval bool is_closure() {
    const std::string_view name = __PRETTY_FUNCTION__;  // "<lambda(..." by g++, "(lambda at ..." by clang
    return name.find("<lambda") != name.npos || name.find("(lambda") != name.npos;
}

/// False for owning aggregates and owning closures: as temporaries of an expression with `co_await`, g++ 12 destroys
/// them twice (GCC PR 107288).
template <class T>
inline constexpr bool safe_as_temporary =
    std::is_trivially_destructible_v<T> || !(std::is_aggregate_v<T> || is_closure<T>());

/// False for parameter types of coroutines that g++ 12 destroys twice when the argument is a temporary. `A` is a
/// parameter as std::coroutine_traits sees it: the object of a member function is an lvalue reference and passes. So do
/// references to closures: the closure of a lambda coroutine is not complete yet where this is asked.
template <class A>
consteval bool is_safe_as_parameter() {
    using Object = std::remove_cvref_t<A>;
    if constexpr (std::is_lvalue_reference_v<A>
                  && (!std::is_const_v<std::remove_reference_t<A>> || is_closure<Object>())) {
        return true;
    } else {
        return safe_as_temporary<Object>;
    }
}
template <class A>
inline constexpr bool safe_as_parameter = is_safe_as_parameter<A>();

/// False for the object of a lambda coroutine with owning captures. To be asked in the constructor of the promise,
/// where closures are complete. Only g++ passes the closure there.
template <class A>
inline constexpr bool safe_as_object =
    !std::is_const_v<std::remove_reference_t<A>> || !is_closure<std::remove_cvref_t<A>>()
    || std::is_trivially_destructible_v<std::remove_cvref_t<A>>;

/// Base of every promise. A coroutine that awaits another one is its parent; the outermost one, the root, owns the
/// CancelContext they share.
class PromiseBase {
public:
    PromiseBase() noexcept = default;
    PromiseBase(const PromiseBase&) = delete;
    PromiseBase& operator=(const PromiseBase&) = delete;

    /// The coroutine that awaits this one; null for a root.
    [[nodiscard]] PromiseBase* parent() const noexcept { return parent_; }
    /// The name of the coroutine; empty for lariat's own.
    [[nodiscard]] const char* name() const noexcept { return body_location_.function_name(); }
    /// Never null once the coroutine has started.
    [[nodiscard]] CancelContext* context() const noexcept { return context_; }
    /// File and line of the `co_await` it stands at, or stood at last; before the first, of the coroutine itself.
    [[nodiscard]] const std::source_location& wait_location() const noexcept { return wait_location_; }
    [[nodiscard]] const char* wait_file() const noexcept { return wait_location_.file_name(); }
    [[nodiscard]] std::uint32_t wait_line() const noexcept { return wait_location_.line(); }

    void set_parent(PromiseBase& parent) noexcept {
        parent_ = &parent;
        context_ = parent.context_;
    }
    void set_context(CancelContext& context) noexcept { context_ = &context; }
    void set_wait_location(const std::source_location& where) noexcept { wait_location_ = where; }
    /// The coroutine itself, before its first wait. Its name in traces: places of awaits carry a mangled one in g++ 12.
    void set_body_location(const std::source_location& where) noexcept { body_location_ = wait_location_ = where; }
    /// The coroutine leaves no line in traces.
    void hide_from_traces() noexcept { set_body_location(std::source_location()); }

    /// What the last await that failed raised, with its trace; what the coroutine ended with, once it has. An awaiter
    /// that throws what somebody else failed with stores it here first.
    [[nodiscard]] Failure& raised() noexcept { return raised_; }

    static void* operator new(std::size_t size) { return allocate_frame(size); }
    static void operator delete(void* frame, std::size_t size) noexcept { release_frame(frame, size); }

protected:
    /// The exception being handled, which ends the coroutine: with the trace it had if an await raised it, and with the
    /// place of the coroutine added.
    Failure& note_unhandled() noexcept {
        std::exception_ptr thrown = std::current_exception();
        if (!raised_.same_exception(thrown)) raised_ = Failure(std::move(thrown), std::source_location());
        if (body_location_.line() != 0) raised_.add_frame(wait_file(), wait_line(), body_location_.function_name());
        return raised_;
    }

private:
    PromiseBase* parent_ = nullptr;
    CancelContext* context_ = nullptr;
    std::source_location wait_location_;  // one pointer
    std::source_location body_location_;
    Failure raised_;
};

/// What is awaited in the place of `awaited`, by an await_transform for one: an awaiter that stores what it throws in
/// promise.raised(), where there is one, and otherwise the object itself.
template <class A>
decltype(auto) traced_in(PromiseBase& promise, A&& awaited) {
    if constexpr (requires { await_in(promise, static_cast<A&&>(awaited)); }) {
        return await_in(promise, static_cast<A&&>(awaited));
    } else {
        return static_cast<A&&>(awaited);
    }
}

/// Says where the thread is while it runs a coroutine.
class Running {
public:
    explicit Running(const PromiseBase& coroutine) noexcept : before_(running_place) {
        running_place = {coroutine.wait_location(), coroutine.name()};
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    ~Running() { running_place = before_; }

private:
    const RunningPlace before_;
};

/// `co_await Hidden(awaitable)`: for the coroutines that are lariat's own, which leave no line in traces.
template <class A>
class Hidden {
public:
    explicit Hidden(A&& awaited) noexcept : awaited_(static_cast<A&&>(awaited)) {}

    A&& unwrap(PromiseBase& promise) const noexcept {
        promise.hide_from_traces();
        return static_cast<A&&>(awaited_);
    }

private:
    A&& awaited_;
};
template <class A>
Hidden(A&&) -> Hidden<A>;
template <class>
inline constexpr bool is_hidden = false;
template <class A>
inline constexpr bool is_hidden<Hidden<A>> = true;

/// A promise of ours, as an awaiter's `await_suspend` sees it.
template <class P>
concept LariatPromise = std::derived_from<P, PromiseBase>;

/// Base of the awaiters of single operations: registers the wait with the coroutine's cancel context.
///
/// A derived awaiter calls `suspend_here()` in its await_suspend, and `resume()` when it is done, as the last thing it
/// does: the awaiter dies inside.
class Awaiter : public Cancellable {
public:
    Awaiter() noexcept = default;
    Awaiter(const Awaiter&) = delete;
    Awaiter& operator=(const Awaiter&) = delete;

protected:
    ~Awaiter() = default;

    template <LariatPromise P>
    void suspend_here(std::coroutine_handle<P> waiter) noexcept {
        waiter_ = waiter;
        context_ = waiter.promise().context();
        context_->begin_wait(*this, waiter.promise());
    }
    /// From here on nobody can cancel the wait; resume() still comes.
    void settle_wait() noexcept { context_->settle_wait(); }
    void resume() noexcept {
        const Running running(*context_->waiter());
        context_->end_wait();
        waiter_.resume();
    }

private:
    std::coroutine_handle<> waiter_;
    CancelContext* context_ = nullptr;
};

}  // namespace lariat::detail
