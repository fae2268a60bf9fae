// SPDX-License-Identifier: MIT
// What the promises of all coroutine types share: who awaits them, where they wait, how they are cancelled, and the
// guards against constructs that g++ 12 miscompiles.
#pragma once

#include <lariat/coro/cancel.hpp>
#include <lariat/coro/frame_allocator.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string_view>
#include <type_traits>
#include <utility>

namespace lariat::detail {

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

    static void* operator new(std::size_t size) { return allocate_frame(size); }
    static void operator delete(void* frame, std::size_t size) noexcept { release_frame(frame, size); }

private:
    PromiseBase* parent_ = nullptr;
    CancelContext* context_ = nullptr;
    std::source_location wait_location_;  // one pointer
};

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
        context_->begin_wait(*this);
    }
    void resume() noexcept {
        context_->end_wait();
        waiter_.resume();
    }

private:
    std::coroutine_handle<> waiter_;
    CancelContext* context_ = nullptr;
};

}  // namespace lariat::detail
