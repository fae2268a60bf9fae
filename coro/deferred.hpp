// SPDX-License-Identifier: MIT
// Deferred<T>: Twisted's Deferred with types, and a coroutine return type. A result that comes later, the list of
// callbacks it runs through, and a way to cancel whatever produces it.
#pragma once

#include <lariat/coro/deferred_level.hpp>
#include <lariat/coro/deferred_timeout.hpp>
#include <lariat/coro/task.hpp>

#include <concepts>
#include <memory>
#include <source_location>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>

namespace lariat {

/// A handle to a result that may not be there yet. Copies are handles to the same Deferred: Twisted code keeps one to
/// fire and hands another out. Const handles can do everything, as const pointers can.
///
/// Callbacks run synchronously, inside `callback()` or, when it has been fired, inside `add_callback`. The result is a
/// slot: each callback replaces it. A callback that returns T, Failure, Deferred<T> or Task<T> (or throws) leaves the
/// type as it is and can be added to any handle. One that returns something else changes the Deferred's type: such a
/// callback can only be added to an rvalue, `std::move(d).add_callback(f)` or a chain on a temporary, and gives a
/// Deferred<U>. What comes after that belongs to the same Deferred: cancelling it cancels the source.
///
/// A result that was handed to another Deferred or awaited leaves nothing behind; later callbacks get T{}, or a
/// ResultTakenError on the errback path when T has no default. The same goes for an errback that returns nothing.
///
/// Lifetime: as long as handles exist, or a coroutine or another Deferred will fire it. If it then holds a failure,
/// that is reported: one critical log event "Unhandled error in Deferred". Keep no handle inside its own callbacks or
/// canceller; they would keep each other alive (both get the handle as an argument or do not need it).
/// Threads: none; every call comes from the thread of its reactor. A Failure may cross threads, a Deferred may not.
template <class T>
class Deferred {
    static_assert(!std::is_reference_v<T> && !std::is_const_v<T>, "lariat: a Deferred holds values; use a pointer");
    static_assert(!detail::is_deferred<T>, "lariat: Deferred<Deferred<T>> cannot exist; a Deferred that is returned or "
                                           "awaited gives its own result");
    static_assert(!detail::is_task<T>, "lariat: a Task is not a result: return ensure_deferred(task) instead, which "
                                       "starts it");
    static_assert(!std::is_same_v<T, Failure>, "lariat: every Deferred may hold a Failure; use Deferred<>");
    using State = detail::DeferredState<T>;

public:
    using value_type = T;
    using DeferredBase = Deferred;

    /// An unfired one. The place of creation is reported with unhandled errors.
    Deferred(const std::source_location& where = std::source_location::current()) : state_(State::create(where)) {}

    /// With a canceller, called by cancel() as `canceller(deferred)` or `canceller()`; it should stop the source and
    /// may fire the Deferred. If it does not, the Deferred fails with Cancelled. It is destroyed when the Deferred
    /// fires.
    template <class F>
    requires(std::is_invocable_v<std::decay_t<F>&, Deferred&> || std::is_invocable_v<std::decay_t<F>&>)
    explicit Deferred(F&& canceller, const std::source_location& where = std::source_location::current())
        : Deferred(where) {
        set_canceller(std::forward<F>(canceller));
    }

    Deferred(const Deferred& other) noexcept : state_(other.state_) {
        if (state_) state_->add_handle();
    }
    Deferred(Deferred&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    Deferred& operator=(Deferred other) noexcept {
        std::swap(state_, other.state_);
        return *this;
    }
    ~Deferred() {
        if (state_) state_->release_handle();
    }

    /// False after it was moved from; nothing else may be done with it then.
    explicit operator bool() const noexcept { return state_ != nullptr; }
    /// The same Deferred, not the same result.
    friend bool operator==(const Deferred& a, const Deferred& b) noexcept { return a.state_ == b.state_; }

    // Firing

    /// Fires it and runs its callbacks before it returns. A Failure goes to the errbacks.
    /// Errors: AlreadyCalledError when it was fired before; exceptions of callbacks never come out here.
    template <class V = T>
    requires(!std::is_void_v<V>)
    void callback(V&& value, const std::source_location& where = std::source_location::current()) const {
        static_assert(!detail::is_deferred<V>, "lariat: callback() takes the result itself; to pass on the result of "
                                               "another Deferred write other.chain_deferred(this_one)");
        if constexpr (std::is_same_v<std::remove_cvref_t<V>, Failure>) {
            errback(std::forward<V>(value), where);
        } else if constexpr (!detail::is_deferred<V>) {
            static_assert(!std::is_void_v<T>, "lariat: a Deferred<> is fired with callback()");
            static_assert(std::is_convertible_v<V&&, T>, "lariat: callback() takes a T, or a Failure");
            T result(std::forward<V>(value));
            if (!state().begin_fire(where)) return;
            state_->set_value(std::move(result));
            state_->run();
        }
    }
    void callback(const std::source_location& where = std::source_location::current()) const requires std::is_void_v<T>
    {
        if (!state().begin_fire(where)) return;
        state_->set_nothing();
        state_->run();
    }

    /// Fires it with a failure: a Failure, an exception, or any other value, which is wrapped.
    template <class E>
    void errback(E&& error, const std::source_location& where = std::source_location::current()) const {
        Failure failure = Failure::of(std::forward<E>(error), where);
        if (!failure)
            throw UsageError("errback() was given an empty Failure; Failure::current() is the exception being handled");
        if (!state().begin_fire(where)) return;
        state_->set_failure(std::move(failure));
        state_->run();
    }
    /// Fires it with the exception being handled. Throws NoCurrentExceptionError when there is none.
    void errback(const std::source_location& where = std::source_location::current()) const {
        errback(Failure::current(where), where);
    }

    /// Fires `other` with the result of this one, which goes on with nothing.
    const Deferred& chain_deferred(const Deferred& other) const {
        return add_level<detail::ChainLevel<T>>(other.state());
    }

    // Callbacks. On an lvalue they return the same handle, on an rvalue the handle of the next type.

    /// `f(value, arguments...)` is called when it has a value; failures pass it by.
    template <class F, class... A>
    const Deferred& add_callback(F&& f, A&&... arguments) const& {
        using R = detail::returned_t<detail::bound_t<F, A...>, typename State::Value>;
        static_assert(std::is_same_v<detail::next_type<R, T>, T>,
                      "lariat: this callback changes the type of the result, so it makes another Deferred. Write "
                      "auto next = std::move(deferred).add_callback(...), or let the callback return the same type");
        return add_branches(detail::bind_callback(std::forward<F>(f), std::forward<A>(arguments)...),
                            detail::PassThrough());
    }
    template <class F, class... A>
    auto add_callback(F&& f, A&&... arguments) && {
        using R = detail::returned_t<detail::bound_t<F, A...>, typename State::Value>;
        return std::move(*this).template to_next<detail::next_type<R, T>>(
            branches(detail::bind_callback(std::forward<F>(f), std::forward<A>(arguments)...), detail::PassThrough()));
    }

    /// `f(failure, arguments...)` is called when it has failed; values pass it by. What it returns must fit T.
    template <class F, class... A>
    const Deferred& add_errback(F&& f, A&&... arguments) const& {
        check_errback<detail::bound_t<F, A...>, T>();
        return add_branches(detail::PassThrough(),
                            detail::bind_callback(std::forward<F>(f), std::forward<A>(arguments)...));
    }
    template <class F, class... A>
    Deferred add_errback(F&& f, A&&... arguments) && {
        add_errback(std::forward<F>(f), std::forward<A>(arguments)...);
        return std::move(*this);
    }

    /// One level of both: `on_failure` does not see exceptions of `on_value`.
    template <class F, class E>
    const Deferred& add_callbacks(F&& on_value, E&& on_failure) const& {
        using R = detail::returned_t<std::decay_t<F>, typename State::Value>;
        static_assert(std::is_same_v<detail::next_type<R, T>, T>,
                      "lariat: this callback changes the type of the result, so it makes another Deferred. Write "
                      "auto next = std::move(deferred).add_callbacks(...), or let the callback return the same type");
        check_errback<std::decay_t<E>, T>();
        return add_branches(std::decay_t<F>(std::forward<F>(on_value)), std::decay_t<E>(std::forward<E>(on_failure)));
    }
    template <class F, class E>
    auto add_callbacks(F&& on_value, E&& on_failure) && {
        using R = detail::returned_t<std::decay_t<F>, typename State::Value>;
        check_errback<std::decay_t<E>, detail::next_type<R, T>>();
        return std::move(*this).template to_next<detail::next_type<R, T>>(
            branches(std::decay_t<F>(std::forward<F>(on_value)), std::decay_t<E>(std::forward<E>(on_failure))));
    }

    /// `f(result, arguments...)` is called either way, with a DeferredResult<T>.
    template <class F, class... A>
    const Deferred& add_both(F&& f, A&&... arguments) const& {
        using R = detail::returned_t<detail::bound_t<F, A...>, DeferredResult<T>>;
        static_assert(std::is_same_v<detail::next_type<R, T>, T>,
                      "lariat: this callback changes the type of the result, so it makes another Deferred. Write "
                      "auto next = std::move(deferred).add_both(...), or return the result it was given");
        auto action = either(detail::bind_callback(std::forward<F>(f), std::forward<A>(arguments)...));
        return add_level<detail::CallbackLevel<T, T, decltype(action)>>(std::move(action), nullptr);
    }
    template <class F, class... A>
    auto add_both(F&& f, A&&... arguments) && {
        using R = detail::returned_t<detail::bound_t<F, A...>, DeferredResult<T>>;
        return std::move(*this).template to_next<detail::next_type<R, T>>(
            either(detail::bind_callback(std::forward<F>(f), std::forward<A>(arguments)...)));
    }

    // Control

    /// Asks for an early end. Not fired: calls the canceller, then fails with Cancelled unless that fired it; without a
    /// canceller one later firing is dropped. Waiting for another Deferred, or for what its coroutine awaits: cancels
    /// that. Otherwise nothing happens. What the canceller throws comes out here and leaves it unfired.
    void cancel(CancelReason reason = CancelReason::requested) const { state().cancel(reason); }

    /// While paused no callbacks run. Counted; takes effect when the running callbacks have ended.
    void pause() const noexcept { state().pause(); }
    void unpause() const noexcept { state().unpause(); }

    /// Fired; its callbacks may still wait for something.
    [[nodiscard]] bool called() const noexcept { return state().called(); }
    /// How often it is paused; waiting for another Deferred counts as one.
    [[nodiscard]] int paused() const noexcept { return state().paused(); }
    /// "<Deferred at 0x..>", with its result or what it is waiting for.
    [[nodiscard]] std::string str() const { return state().describe(result_text()); }

    /// Cancels it when it has no result after `limit`; the Cancelled that comes of it becomes TimedOut, any other
    /// outcome stays. Callbacks added before see Cancelled, those added after TimedOut.
    /// `clock.call_later(Duration, f)` returns a handle with `active()` and `cancel()`: a Reactor, or a test's clock.
    template <class Clock>
    const Deferred& add_timeout(Duration limit, Clock& clock) const& {
        return add_timeout(limit, clock, detail::TimeoutToTimedOut());
    }
    template <class Clock>
    Deferred add_timeout(Duration limit, Clock& clock) && {
        add_timeout(limit, clock, detail::TimeoutToTimedOut());
        return std::move(*this);
    }
    /// `on_timeout(result, limit)` decides the outcome instead; it gets a DeferredResult<T>.
    template <class Clock, class F>
    const Deferred& add_timeout(Duration limit, Clock& clock, F&& on_timeout) const& {
        detail::add_timeout(*this, limit, clock, std::forward<F>(on_timeout));
        return *this;
    }
    template <class Clock, class F>
    Deferred add_timeout(Duration limit, Clock& clock, F&& on_timeout) && {
        detail::add_timeout(*this, limit, clock, std::forward<F>(on_timeout));
        return std::move(*this);
    }

private:
    friend struct detail::DeferredAccess;

    template <class F>
    void set_canceller(F&& canceller) const {
        state_->set_canceller(
            detail::new_in_frame<Canceller<std::decay_t<F>>>(std::in_place, std::forward<F>(canceller)));
    }

    template <class F>
    class Canceller final : public detail::DeferredCanceller {
    public:
        template <class G>
        explicit Canceller(std::in_place_t, G&& canceller) : canceller_(std::forward<G>(canceller)) {}

        bool call(detail::DeferredStage& stage) override {
            if constexpr (std::is_invocable_v<F&, Deferred&>) {
                stage.add_handle();
                Deferred deferred(static_cast<State*>(&stage));
                std::invoke(canceller_, deferred);
            } else {
                std::invoke(canceller_);
            }
            return true;
        }
        void destroy() noexcept override {
            this->~Canceller();
            detail::release_frame(this, sizeof(Canceller));
        }

    private:
        F canceller_;
    };

    explicit Deferred(State* state) noexcept : state_(state) {}

    State& state() const noexcept {
        LARIAT_CHECK(state_ != nullptr, "this Deferred was moved from; keep a copy if it is still needed");
        return *state_;
    }

    template <class E, class U>
    static constexpr void check_errback() {
        using R = detail::returned_t<E, Failure>;
        static_assert(
            detail::fits_deferred<R, U>(),
            "lariat: values pass an errback by unchanged, so what it returns must be of the same type: return "
            "the Deferred's type, a Failure, or nothing");
    }
    template <class Cb, class Eb>
    static auto branches(Cb on_value, Eb on_failure) {
        return detail::Branches<Cb, Eb>(std::move(on_value), std::move(on_failure));
    }
    template <class F>
    static auto either(F callable) {
        return detail::EitherWay<F>(std::move(callable));
    }

    template <class Level, class... A>
    const Deferred& add_level(A&&... arguments) const {
        state().append(state_->template make_level<Level>(std::forward<A>(arguments)...));
        state_->run();
        return *this;
    }
    template <class Cb, class Eb>
    const Deferred& add_branches(Cb on_value, Eb on_failure) const {
        using Action = detail::Branches<Cb, Eb>;
        return add_level<detail::CallbackLevel<T, T, Action>>(Action(std::move(on_value), std::move(on_failure)),
                                                              nullptr);
    }

    template <class U, class Action>
    Deferred<U> to_next(Action action) && {
        if constexpr (std::is_same_v<U, T>) {
            add_level<detail::CallbackLevel<T, T, Action>>(std::move(action), nullptr);
            return std::move(*this);
        } else {
            auto* next = detail::DeferredState<U>::create_after(state());
            Deferred<U> handle = detail::DeferredAccess::adopt(next);
            add_level<detail::CallbackLevel<T, U, Action>>(std::move(action), next);
            *this = Deferred(static_cast<State*>(nullptr));
            return handle;
        }
    }

    [[nodiscard]] std::string result_text() const {
        if (state().failure())
            return "<Failure " + state_->failure().type_name() + ": " + state_->failure().error_message() + ">";
        if (!state_->has_value() || std::is_void_v<T>) return "None";
        if constexpr (requires(std::ostream& out, const typename State::Value& value) { out << value; }) {
            std::ostringstream out;
            out << state_->value();
            return std::is_convertible_v<T, std::string_view> ? "'" + out.str() + "'" : out.str();
        } else {
            return "a value";
        }
    }

    State* state_;
};

/// One that has been fired with `value`.
template <class V>
[[nodiscard]] Deferred<std::decay_t<V>> succeed(V&& value,
                                                const std::source_location& where = std::source_location::current()) {
    static_assert(!detail::is_deferred<V>, "lariat: succeed() takes the result itself");
    Deferred<std::decay_t<V>> deferred(where);
    deferred.callback(std::forward<V>(value), where);
    return deferred;
}
[[nodiscard]] inline Deferred<> succeed(const std::source_location& where = std::source_location::current()) {
    Deferred<> deferred(where);
    deferred.callback(where);
    return deferred;
}

/// One that has failed: `fail<int>(ConnectionLost())`. Takes what errback() takes.
template <class T = void, class E>
[[nodiscard]] Deferred<T> fail(E&& error, const std::source_location& where = std::source_location::current()) {
    Deferred<T> deferred(where);
    deferred.errback(std::forward<E>(error), where);
    return deferred;
}
/// One that has failed with the exception being handled.
template <class T = void>
[[nodiscard]] Deferred<T> fail(const std::source_location& where = std::source_location::current()) {
    Deferred<T> deferred(where);
    deferred.errback(where);
    return deferred;
}

/// Calls `f(arguments...)` now: what it returns becomes a fired Deferred, a Deferred comes back as it is, a Task is
/// started (see ensure_deferred), a Failure or an exception becomes a failed one.
template <class F, class... A>
auto maybe_deferred(F&& f, A&&... arguments) {
    using R = std::decay_t<std::invoke_result_t<F, A...>>;
    using U = detail::next_type<R, void>;
    try {
        if constexpr (detail::is_deferred<R>) {
            return Deferred<U>(std::invoke(std::forward<F>(f), std::forward<A>(arguments)...));
        } else if constexpr (detail::is_task<R>) {
            return ensure_deferred(std::invoke(std::forward<F>(f), std::forward<A>(arguments)...));
        } else if constexpr (std::is_void_v<R>) {
            std::invoke(std::forward<F>(f), std::forward<A>(arguments)...);
            return succeed();
        } else if constexpr (std::is_same_v<R, Failure>) {
            return fail<U>(std::invoke(std::forward<F>(f), std::forward<A>(arguments)...));
        } else if constexpr (detail::deferred_traits<R>::is_result) {
            R result = std::invoke(std::forward<F>(f), std::forward<A>(arguments)...);
            if (!result) return fail<U>(result.failure());
            if constexpr (std::is_void_v<U>) {
                return succeed();
            } else {
                return succeed(std::move(*result));
            }
        } else {
            return succeed(std::invoke(std::forward<F>(f), std::forward<A>(arguments)...));
        }
    } catch (...) {
        return fail<U>();
    }
}

/// Calls `f(arguments...)` now: its value or exception, as a fired Deferred.
template <class F, class... A>
auto execute(F&& f, A&&... arguments) {
    using R = std::invoke_result_t<F, A...>;
    static_assert(!detail::is_deferred<R> && !detail::is_task<R>,
                  "lariat: execute() does not look inside what it gets; use maybe_deferred()");
    return maybe_deferred(std::forward<F>(f), std::forward<A>(arguments)...);
}

namespace detail {

/// Gives up a Deferred that nobody will fire: what holds another handle is told, what awaits it ends with the last one.
template <class T>
void abandon(Deferred<T> waiter) {
    const DeferredStage& stage = *DeferredAccess::state(waiter);
    if (stage.is_shared() && !waiter.called()) waiter.errback(AbandonedError(stage.created()));
}

}  // namespace detail

}  // namespace lariat

#include <lariat/coro/deferred_coroutine.hpp>  // IWYU pragma: export
#include <lariat/coro/deferred_task.hpp>       // IWYU pragma: export
