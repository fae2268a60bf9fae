// SPDX-License-Identifier: MIT
// How callbacks are called and what becomes of what they return. Rules:
//   a callback gets the value, an errback the Failure, a "both" a DeferredResult; extra arguments follow; a callable
//   that takes no result may leave it out
//   a returned Deferred is waited for, a returned Task is started and waited for, a returned Failure or a thrown
//   exception fails the Deferred, a returned DeferredResult is the result
#pragma once

#include <lariat/coro/deferred_slot.hpp>
#include <lariat/coro/task.hpp>

#include <functional>
#include <new>
#include <source_location>
#include <tuple>
#include <type_traits>
#include <utility>

namespace lariat {

template <class T = void>
class Deferred;

namespace detail {

/// Gives code of the family access to the state behind a handle.
struct DeferredAccess {
    template <class T>
    static DeferredState<T>* state(const Deferred<T>& deferred) noexcept {
        return deferred.state_;
    }
    /// Takes the handle away from the object.
    template <class T>
    static DeferredState<T>* release(Deferred<T>& deferred) noexcept {
        return std::exchange(deferred.state_, nullptr);
    }
    template <class T, class F>
    static void set_canceller(const Deferred<T>& deferred, F&& canceller) {
        deferred.set_canceller(std::forward<F>(canceller));
    }
    /// Makes an object of a handle that is already counted.
    template <class T>
    static Deferred<T> adopt(DeferredState<T>* state) noexcept {
        return Deferred<T>(state);
    }
};

template <class T>
struct deferred_traits {
    static constexpr bool is_deferred = false, is_result = false;
    using type = T;
};
template <class T>
struct deferred_traits<Deferred<T>> {
    static constexpr bool is_deferred = true, is_result = false;
    using type = T;
};
template <class T>
struct deferred_traits<DeferredResult<T>> {
    static constexpr bool is_deferred = false, is_result = true;
    using type = T;
};
template <class T>
struct deferred_traits<Task<T>> {
    static constexpr bool is_deferred = false, is_result = false;
    using type = T;
};
template <class D>
requires requires { typename D::DeferredBase; } && (!std::is_same_v<D, typename D::DeferredBase>)
struct deferred_traits<D> : deferred_traits<typename D::DeferredBase> {};  // DeferredList
template <class T>
inline constexpr bool is_deferred = deferred_traits<std::remove_cvref_t<T>>::is_deferred;

/// A callable with the extra arguments it was added with.
template <class F, class... A>
class BoundCallback {
public:
    template <class G, class... B>
    explicit BoundCallback(std::in_place_t, G&& callable, B&&... arguments)
        : callable_(std::forward<G>(callable)), arguments_(std::forward<B>(arguments)...) {}

    template <class... X>
    requires std::is_invocable_v<F&, X..., A...>
    decltype(auto) operator()(X&&... first) {
        return std::apply(
            [&](A&... rest) -> decltype(auto) {
                return std::invoke(callable_, std::forward<X>(first)..., std::move(rest)...);
            },
            arguments_);
    }

private:
    F callable_;
    std::tuple<A...> arguments_;
};

template <class F, class... A>
auto bind_callback(F&& callable, A&&... arguments) {
    if constexpr (sizeof...(A) == 0) {
        return std::decay_t<F>(std::forward<F>(callable));
    } else {
        return BoundCallback<std::decay_t<F>, std::decay_t<A>...>(std::in_place, std::forward<F>(callable),
                                                                  std::forward<A>(arguments)...);
    }
}
template <class F, class... A>
using bound_t = decltype(bind_callback(std::declval<F>(), std::declval<A>()...));

/// Calls with the result as an rvalue, as an lvalue, or without it: the first form that fits.
template <class F, class Arg>
decltype(auto) call_with(F& callable, Arg&& argument) {
    if constexpr (std::is_same_v<std::remove_cvref_t<Arg>, Unit>) {
        static_assert(std::is_invocable_v<F&>, "lariat: a callback of a Deferred<> takes no result");
        return std::invoke(callable);
    } else if constexpr (std::is_invocable_v<F&, Arg&&>) {
        return std::invoke(callable, std::forward<Arg>(argument));
    } else if constexpr (std::is_invocable_v<F&, Arg&>) {
        return std::invoke(callable, argument);
    } else {
        static_assert(std::is_invocable_v<F&>,
                      "lariat: this callback cannot be called with the Deferred's result (a callback "
                      "gets T, an errback a Failure, an add_both callback a DeferredResult<T>)");
        return std::invoke(callable);
    }
}
template <class F, class Arg>
using returned_t = std::decay_t<decltype(call_with(std::declval<F&>(), std::declval<Arg>()))>;

/// The type of the Deferred after a level whose callable returns R; a Failure alone leaves it as it is.
template <class R, class T>
using next_type = std::conditional_t<std::is_same_v<R, Failure>, T, typename deferred_traits<R>::type>;

/// True when what R stands for can become the result of a Deferred<U>.
template <class R, class U>
consteval bool fits_deferred() {
    if constexpr (std::is_same_v<R, Failure> || std::is_void_v<R>) {
        return true;
    } else if constexpr (deferred_traits<R>::is_deferred || deferred_traits<R>::is_result || is_task<R>) {
        return std::is_same_v<typename deferred_traits<R>::type, U>;
    } else if constexpr (std::is_void_v<U>) {
        return false;
    } else {
        return std::is_convertible_v<R, U>;
    }
}

/// An empty Failure that is returned is no success: one was meant, and there was none.
inline Failure real_failure(Failure returned) {
    if (returned) return returned;
    return Failure(UsageError("an empty Failure was returned; Failure::current() is the exception being handled"),
                   std::source_location());
}

/// Calls and stores what comes of it. A Deferred that was returned is given back to be followed, with its handle.
/// An exception that is the one of `incoming` keeps that failure's trace.
template <class U, class F, class Arg>
DeferredState<U>* call_and_store(DeferredState<U>& target, F& callable, Arg&& argument,
                                 const Failure& incoming) noexcept {
    using R = returned_t<F, Arg>;
    try {
        if constexpr (std::is_void_v<R>) {
            call_with(callable, std::forward<Arg>(argument));
            target.set_nothing();
        } else if constexpr (std::is_same_v<R, Failure>) {
            target.set_failure(real_failure(call_with(callable, std::forward<Arg>(argument))));
        } else if constexpr (deferred_traits<R>::is_deferred) {
            R inner = call_with(callable, std::forward<Arg>(argument));
            return DeferredAccess::release(inner);
        } else if constexpr (is_task<R>) {
            Deferred<U> inner = ensure_deferred(call_with(callable, std::forward<Arg>(argument)));
            return DeferredAccess::release(inner);
        } else if constexpr (deferred_traits<R>::is_result) {
            target.set_result(call_with(callable, std::forward<Arg>(argument)));
        } else {
            target.set_value(static_cast<U>(call_with(callable, std::forward<Arg>(argument))));
        }
    } catch (...) {
        std::exception_ptr thrown = std::current_exception();
        target.set_failure(incoming.same_exception(thrown) ? incoming
                                                           : Failure(std::move(thrown), std::source_location()));
    }
    return nullptr;
}

/// The missing half of a level.
struct PassThrough {};

template <class Cb, class Eb>
class Branches {
public:
    Branches(Cb on_value, Eb on_failure) : on_value_(std::move(on_value)), on_failure_(std::move(on_failure)) {}

    template <class T, class U>
    DeferredState<U>* apply(DeferredState<T>& source, DeferredState<U>& target) noexcept {
        source.settle();
        if (source.failure()) {
            Failure failure = source.take_failure();
            if constexpr (std::is_same_v<Eb, PassThrough>) {
                target.set_failure(std::move(failure));
                return nullptr;
            } else {
                const Failure incoming = failure;
                return call_and_store(target, on_failure_, std::move(failure), incoming);
            }
        }
        if constexpr (std::is_same_v<Cb, PassThrough>) {
            return nullptr;
        } else {
            return call_and_store(target, on_value_, source.take_value(), Failure());
        }
    }

private:
    [[no_unique_address]] Cb on_value_;
    [[no_unique_address]] Eb on_failure_;
};

template <class F>
class EitherWay {
public:
    explicit EitherWay(F callable) : callable_(std::move(callable)) {}

    template <class T, class U>
    DeferredState<U>* apply(DeferredState<T>& source, DeferredState<U>& target) noexcept {
        const Failure incoming = source.failure();
        return call_and_store(target, callable_, source.take_result(), incoming);
    }

private:
    [[no_unique_address]] F callable_;
};

/// A level of callbacks; with U different from T the result goes to the next stage of the same Deferred.
template <class T, class U, class Action>
class CallbackLevel final : public DeferredLevel {
    static constexpr bool in_place = std::is_same_v<T, U>;

public:
    CallbackLevel(Action action, DeferredState<U>* target) : target_(target), action_(std::move(action)) {}

    DeferredStage* run(DeferredStage& stage) noexcept override {
        auto& source = static_cast<DeferredState<T>&>(stage);
        DeferredState<U>& target = target_of(source);
        source.set_running(true);
        DeferredState<U>* inner = action_.apply(source, target);
        // What the callable holds goes first: it may hold a handle of `inner`.
        dispose(stage);
        source.set_running(false);
        if (inner) follow(target, *inner);
        if constexpr (in_place) {
            return nullptr;
        } else {
            return target.continue_with_result(stage.has_levels());
        }
    }
    void discard(DeferredStage& stage) noexcept override { dispose(stage); }

private:
    DeferredState<U>& target_of(DeferredState<T>& source) noexcept {
        if constexpr (in_place) {
            return source;
        } else {
            return *target_;
        }
    }
    void dispose(DeferredStage& stage) noexcept {
        this->~CallbackLevel();
        stage.release_level(this, sizeof *this);
    }

    struct Nothing {
        explicit Nothing(DeferredState<U>*) noexcept {}
    };
    [[no_unique_address]] std::conditional_t<in_place, Nothing, DeferredState<U>*> target_;
    [[no_unique_address]] Action action_;
};

/// What a.chain_deferred(b) puts into a's list: b is fired with a's result, and a goes on with nothing.
template <class T>
class ChainLevel final : public DeferredLevel {
public:
    explicit ChainLevel(DeferredState<T>& other) noexcept : other_(other) { other.add_feed(); }

    DeferredStage* run(DeferredStage& stage) noexcept override {
        auto& source = static_cast<DeferredState<T>&>(stage);
        DeferredState<T>& other = other_;
        dispose(stage);
        DeferredStage* follower = nullptr;
        try {
            if (other.begin_fire(std::source_location())) {
                other.take_from(source);
                follower = other.continue_with_result(true);
            }
            source.set_nothing();
        } catch (...) {
            source.fail(Failure(std::current_exception(), std::source_location()));
        }
        other.release_feed();
        return follower;
    }
    void discard(DeferredStage& stage) noexcept override {
        DeferredState<T>& other = other_;
        dispose(stage);
        other.release_feed();
    }

private:
    void dispose(DeferredStage& stage) noexcept {
        this->~ChainLevel();
        stage.release_level(this, sizeof *this);
    }

    DeferredState<T>& other_;
};

}  // namespace detail
}  // namespace lariat
