// SPDX-License-Identifier: MIT
// Waiting for several Deferreds of different types: the tuple forms of DeferredList and gather_results.
#pragma once

#include <lariat/coro/deferred_list.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <source_location>
#include <tuple>
#include <type_traits>
#include <utility>

namespace lariat {

namespace detail {

template <class... T>
struct TupleRecord {
    using Results = std::tuple<DeferredResult<T>...>;

    TupleRecord(const Deferred<Results>& result, DeferredListOptions chosen) : source(result), options(chosen) {}

    DeferredSource<Results> source;
    DeferredListOptions options;
    std::size_t left = sizeof...(T);
    std::tuple<std::optional<DeferredResult<T>>...> results;

    template <std::size_t I>
    void child_fired(std::tuple_element_t<I, Results> result) {
        --left;
        if (source.called()) return;
        if (!result && options.fire_on_one_errback) {
            source.fire(Failure(FirstError(result.failure(), I), std::source_location()));
            return;
        }
        std::get<I>(results) = std::move(result);
        if (left == 0) {
            source.fire(std::apply([](auto&... each) { return Results(std::move(*each)...); }, results));
        }
    }
};

/// Cancels every one in order, whatever their cancellers throw.
template <class... T>
void cancel_each(const std::tuple<Deferred<T>...>& all) noexcept {
    std::apply([](const Deferred<T>&... each) { (cancel_logging(each), ...); }, all);
}

}  // namespace detail

/// Fires when all of them have fired, with a DeferredResult of each, in order; with `fire_on_one_errback` it fails with
/// FirstError at the first failure. The children keep their failures, and report them, unless `consume_errors`; their
/// values go. Cancellation: cancels all. Errors: UsageError for `fire_on_one_callback`, see race().
template <class... T>
Deferred<std::tuple<DeferredResult<T>...>> deferred_tuple(DeferredListOptions options, Deferred<T>... children) {
    static_assert(sizeof...(T) > 0, "lariat: nothing to wait for");
    if (options.fire_on_one_callback) throw UsageError("a tuple of Deferreds cannot fire on one callback; use race()");
    Deferred<std::tuple<DeferredResult<T>...>> result;
    const auto record = std::make_shared<detail::TupleRecord<T...>>(result, options);
    const std::tuple<Deferred<T>...> all(std::move(children)...);
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        (std::get<I>(all).add_both([record](DeferredResult<T> outcome) {
            const bool keep_failure = !outcome && !record->options.consume_errors;
            DeferredResult<T> kept(keep_failure ? outcome.failure() : Failure());
            record->template child_fired<I>(std::move(outcome));
            return kept;
        }),
         ...);
    }(std::index_sequence_for<T...>());
    if (!result.called()) detail::set_forwarding_canceller(result, [all] { detail::cancel_each(all); });
    return result;
}

/// The values of all, as a tuple, or FirstError at the first failure; the others are not cancelled. Where there is no
/// value the element is empty. The failures of the children are handled by this. Cancellation: cancels all.
template <class... T>
requires(sizeof...(T) > 1)
Deferred<std::tuple<detail::value_of<T>...>> gather_results(Deferred<T>... children) {
    DeferredListOptions options;
    options.fire_on_one_errback = true;
    options.consume_errors = true;
    return deferred_tuple(options, std::move(children)...).add_callback([](std::tuple<DeferredResult<T>...> all) {
        return std::apply(
            [](DeferredResult<T>&... each) { return std::tuple<detail::value_of<T>...>(std::move(*each)...); }, all);
    });
}

}  // namespace lariat
