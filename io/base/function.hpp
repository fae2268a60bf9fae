// SPDX-License-Identifier: MIT
// Function<R(A...)>: a move-only callable with room for 48 bytes of captures before it allocates.
#pragma once

#include <lariat/io/base/assert.hpp>

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace lariat {

template <class Signature>
class Function;

/// What std::function cannot be: it holds move-only callables, and callables of up to 48 bytes that move without
/// throwing cost no allocation. Calling an empty one panics.
template <class R, class... A>
class Function<R(A...)> {
public:
    static constexpr std::size_t inline_size = 48;

    Function() noexcept = default;
    Function(std::nullptr_t) noexcept {}

    template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, Function> && std::is_invocable_r_v<R, std::decay_t<F>&, A...>)
    Function(F&& callable) {
        using Stored = std::decay_t<F>;
        if constexpr (fits<Stored>) {
            ::new (static_cast<void*>(storage_)) Stored(std::forward<F>(callable));
        } else {
            ::new (static_cast<void*>(storage_)) Stored*(new Stored(std::forward<F>(callable)));
        }
        table_ = &table_of<Stored>;
    }

    Function(Function&& other) noexcept { take(other); }
    Function& operator=(Function&& other) noexcept {
        if (this != &other) {
            reset();
            take(other);
        }
        return *this;
    }
    Function(const Function&) = delete;
    Function& operator=(const Function&) = delete;
    ~Function() { reset(); }

    explicit operator bool() const noexcept { return table_ != nullptr; }

    R operator()(A... arguments) {
        LARIAT_CHECK(table_ != nullptr, "an empty Function was called");
        return table_->call(storage_, std::forward<A>(arguments)...);
    }

    /// Destroys the callable, if any.
    void reset() noexcept {
        if (table_) std::exchange(table_, nullptr)->destroy(storage_);
    }

private:
    struct Table {
        R (*call)(void*, A&&...);
        void (*move)(void* from, void* to) noexcept;
        void (*destroy)(void*) noexcept;
    };

    template <class F>
    static constexpr bool fits =
        sizeof(F) <= inline_size && alignof(F) <= alignof(std::max_align_t) && std::is_nothrow_move_constructible_v<F>;

    template <class F>
    static F& stored(void* storage) noexcept {
        if constexpr (fits<F>) {
            return *std::launder(static_cast<F*>(storage));
        } else {
            return **std::launder(static_cast<F**>(storage));
        }
    }

    template <class F>
    static constexpr Table table_of{
        [](void* storage, A&&... arguments) -> R {
            if constexpr (std::is_void_v<R>) {
                static_assert(
                    !requires { typename std::invoke_result_t<F&, A...>::promise_type; },
                    "lariat: nobody runs the coroutine that this function returns: spawn() it inside");
                stored<F>(storage)(std::forward<A>(arguments)...);
            } else {
                return stored<F>(storage)(std::forward<A>(arguments)...);
            }
        },
        [](void* from, void* to) noexcept {
            if constexpr (fits<F>) {
                ::new (to) F(std::move(stored<F>(from)));
                stored<F>(from).~F();
            } else {
                ::new (to) F*(&stored<F>(from));
            }
        },
        [](void* storage) noexcept {
            if constexpr (fits<F>) {
                stored<F>(storage).~F();
            } else {
                delete &stored<F>(storage);
            }
        },
    };

    void take(Function& other) noexcept {
        if (other.table_) {
            other.table_->move(other.storage_, storage_);
            table_ = std::exchange(other.table_, nullptr);
        }
    }

    alignas(std::max_align_t) std::byte storage_[inline_size];
    const Table* table_ = nullptr;
};

}  // namespace lariat
