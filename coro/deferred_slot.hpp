// SPDX-License-Identifier: MIT
// DeferredState<T>: a DeferredStage with room for its result. The slot holds a value, a failure, or nothing: after the
// result was handed on, and after an errback that returned nothing.
#pragma once

#include <lariat/coro/deferred_result.hpp>
#include <lariat/coro/deferred_state.hpp>

#include <memory>
#include <new>
#include <source_location>
#include <type_traits>
#include <utility>

namespace lariat::detail {

template <class T>
class DeferredState final : public DeferredStage {
public:
    using Value = value_of<T>;

    /// A new state with one handle.
    static DeferredState* create(const std::source_location& where) {
        static_assert(alignof(DeferredState) <= alignof(std::max_align_t), "over-aligned results need a box");
        return with_handle(::new (allocate_frame(sizeof(DeferredState))) DeferredState(where));
    }

    /// The next stage of the Deferred that `upstream` belongs to, with one handle.
    static DeferredState* create_after(DeferredStage& upstream) {
        DeferredState* state =
            with_handle(::new (allocate_frame(sizeof(DeferredState))) DeferredState(upstream.created()));
        state->attach_to(upstream);
        return state;
    }

    /// Nothing, or the value of a Deferred<void>.
    void set_nothing() noexcept {
        clear();
        if constexpr (std::is_void_v<T>) has_value_ = true;
    }
    template <class V>
    void set_value(V&& value) {
        clear();
        std::construct_at(&value_, std::forward<V>(value));
        has_value_ = true;
    }
    void set_result(DeferredResult<T>&& result) {
        if (result.has_value()) {
            set_value(std::move(*result));
        } else {
            fail(result.failure());
        }
    }
    /// Like set_failure, whatever the slot holds.
    void fail(Failure failure) noexcept {
        clear();
        set_failure(std::move(failure));
    }

    /// Makes sure that there is a value or a failure: an empty slot gives T{}, or fails where there is no T{}.
    void settle() noexcept {
        if (has_value_ || failure()) return;
        if constexpr (std::is_default_constructible_v<Value>) {
            try {
                set_value(Value());
            } catch (...) {
                set_failure(Failure(std::current_exception(), std::source_location()));
            }
        } else {
            set_failure(Failure(ResultTakenError(), std::source_location()));
        }
    }
    /// Only when settled without failure. Leaves nothing.
    Value take_value() noexcept(std::is_nothrow_move_constructible_v<Value>) {
        Value value = std::move(value_);
        clear();
        return value;
    }
    DeferredResult<T> take_result() {
        settle();
        if (failure()) return DeferredResult<T>(take_failure());
        return DeferredResult<T>(take_value());
    }
    /// Moves the result of `other` here and leaves nothing there.
    void take_from(DeferredState& other) noexcept {
        clear();
        if (other.failure()) {
            set_failure(other.take_failure());
        } else if (other.has_value_) {
            try {
                std::construct_at(&value_, std::move(other.value_));
                has_value_ = true;
            } catch (...) {
                set_failure(Failure(std::current_exception(), std::source_location()));
            }
            other.clear();
        }
    }

    [[nodiscard]] bool has_value() const noexcept { return has_value_; }
    [[nodiscard]] const Value& value() const noexcept { return value_; }

private:
    explicit DeferredState(const std::source_location& where) noexcept : DeferredStage(where) {}
    static DeferredState* with_handle(DeferredState* state) noexcept {
        state->add_handle();
        return state;
    }
    ~DeferredState() { clear(); }

    void clear() noexcept {
        if (failure()) set_failure(Failure());
        if (has_value_) {
            has_value_ = false;
            std::destroy_at(&value_);
        }
    }

    void destroy() noexcept override {
        this->~DeferredState();
        release_frame(this, sizeof(DeferredState));
    }

    bool has_value_ = false;
    union {
        Value value_;
    };
};

/// What an outer Deferred leaves in the list of the inner one it waits for.
template <class T>
class ContinueLevel final : public DeferredLevel {
public:
    explicit ContinueLevel(DeferredState<T>& outer) noexcept : outer_(outer) {}

    DeferredStage* run(DeferredStage& inner) noexcept override {
        DeferredState<T>& outer = outer_;
        dispose(inner);
        outer.take_from(static_cast<DeferredState<T>&>(inner));
        return outer.end_wait_for(inner);
    }
    void discard(DeferredStage& inner) noexcept override {
        DeferredState<T>& outer = outer_;
        dispose(inner);
        outer.set_waiting_on(nullptr);
        outer.release_feed();
    }

private:
    void dispose(DeferredStage& stage) noexcept {
        this->~ContinueLevel();
        stage.release_level(this, sizeof *this);
    }

    DeferredState<T>& outer_;
};

/// The result of `target` is that of `inner`, now or later. Takes over one handle of `inner`.
template <class T>
void follow(DeferredState<T>& target, DeferredState<T>& inner) noexcept {
    if (target.would_deadlock(inner, 1)) {  // one for the loop that runs the callback
        target.set_failure(Failure(UsageError("a callback returned its own Deferred, or one that waits for it, so that "
                                              "neither would ever fire"),
                                   std::source_location()));
        inner.release_handle();
    } else if (inner.is_ready()) {
        target.take_from(inner);
        inner.release_handle();
    } else {
        target.add_feed();
        target.wait_for(inner);
        inner.handle_to_keeper();
        inner.append(inner.template make_level<ContinueLevel<T>>(target));
    }
}

}  // namespace lariat::detail
