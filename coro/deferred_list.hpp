// SPDX-License-Identifier: MIT
// Waiting for several Deferreds: DeferredList, gather_results and race, as in Twisted. None of them owns what it waits
// for, and only race cancels the others.
#pragma once

#include <lariat/coro/deferred.hpp>
#include <lariat/coro/deferred_source.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace lariat {

/// The first failure of several Deferreds.
class FirstError : public Error {
public:
    FirstError(Failure sub_failure, std::size_t index)
        : Error("FirstError[#" + std::to_string(index) + ", " + sub_failure.type_name() + ": "
                + sub_failure.error_message() + "]"),
          sub_failure_(std::move(sub_failure)),
          index_(index) {}

    [[nodiscard]] const Failure& sub_failure() const noexcept { return sub_failure_; }
    /// The position of the Deferred that failed.
    [[nodiscard]] std::size_t index() const noexcept { return index_; }

    /// The same failure of the same Deferred.
    friend bool operator==(const FirstError& a, const FirstError& b) noexcept {
        return a.index_ == b.index_ && a.sub_failure_.same_exception(b.sub_failure_.exception());
    }

private:
    Failure sub_failure_;
    std::size_t index_;
};

/// All participants of a race failed.
class FailureGroup : public Error {
public:
    explicit FailureGroup(std::vector<Failure> failures)
        : Error("all " + std::to_string(failures.size()) + " failed"), failures_(std::move(failures)) {}

    /// In the order of the participants.
    [[nodiscard]] const std::vector<Failure>& failures() const noexcept { return failures_; }

private:
    std::vector<Failure> failures_;
};

struct DeferredListOptions {
    bool fire_on_one_callback = false;  ///< fire at the first success
    bool fire_on_one_errback = false;   ///< fail, with FirstError, at the first failure
    bool consume_errors = false;        ///< the failures of the children are handled by being in the list
};

/// What a DeferredList gives.
template <class T>
struct DeferredListResult {
    /// One for each child, in the order of the list; after `fire_on_one_callback` fired only `winner` is set.
    std::vector<DeferredResult<T>> results;
    /// The first success, and its position.
    std::optional<std::pair<DeferredResult<T>, std::size_t>> winner;
};

/// Fires when all children have fired, or at the first success or failure, as the options say. An empty list fires at
/// once, with `fire_on_one_callback` never.
///
/// The children keep their results when T can be copied; their failures too, and report them, unless `consume_errors`.
/// Cancellation: every child is cancelled, in order; the list then fires through them.
template <class T = void>
class DeferredList : public Deferred<DeferredListResult<T>> {
    using Result = DeferredListResult<T>;

    struct Record {
        Record(const Deferred<Result>& list, DeferredListOptions chosen, std::size_t count)
            : source(list), options(chosen), left(count), results(count) {}

        detail::DeferredSource<Result> source;
        DeferredListOptions options;
        std::size_t left;
        std::vector<std::optional<DeferredResult<T>>> results;

        void child_fired(std::size_t index, DeferredResult<T> result) {
            --left;
            if (source.called()) return;
            if (result && options.fire_on_one_callback) {
                Result won;
                won.winner.emplace(std::move(result), index);
                source.fire(std::move(won));
            } else if (!result && options.fire_on_one_errback) {
                source.fire(Failure(FirstError(result.failure(), index), std::source_location()));
            } else {
                results[index] = std::move(result);
                if (left == 0) fire_all();
            }
        }
        void fire_all() {
            Result all;
            for (auto& result : results) all.results.push_back(*std::move(result));
            source.fire(std::move(all));
        }
    };

    /// What stays in a child: an empty result where the list takes it.
    static DeferredResult<T> keep(const DeferredResult<T>& result, bool consume_errors) {
        if (result.failure())
            return consume_errors ? DeferredResult<T>(Failure()) : DeferredResult<T>(result.failure());
        if constexpr (std::is_copy_constructible_v<detail::value_of<T>>) {
            return DeferredResult<T>(*result);
        } else {
            return DeferredResult<T>(Failure());
        }
    }

public:
    explicit DeferredList(std::vector<Deferred<T>> children, DeferredListOptions options = {},
                          const std::source_location& where = std::source_location::current())
        : Deferred<Result>(where) {
        auto record = std::make_shared<Record>(*this, options, children.size());
        if (children.empty() && !options.fire_on_one_callback) record->fire_all();
        for (std::size_t i = 0; i < children.size(); ++i) {
            children[i].add_both([record, i](DeferredResult<T> result) {
                DeferredResult<T> kept = keep(result, record->options.consume_errors);
                record->child_fired(i, std::move(result));
                return kept;
            });
        }
        if (!this->called()) {
            detail::set_forwarding_canceller(*this, [all = std::move(children)] { detail::cancel_each(all); });
        }
    }
};

/// The values of all, in order, or FirstError at the first failure; the others are not cancelled.
/// Cancellation: cancels all.
template <class T>
auto gather_results(std::vector<Deferred<T>> children, bool consume_errors = false,
                    const std::source_location& where = std::source_location::current()) {
    DeferredListOptions options;
    options.fire_on_one_errback = true;
    options.consume_errors = consume_errors;
    Deferred<DeferredListResult<T>> list = DeferredList<T>(std::move(children), options, where);
    if constexpr (std::is_void_v<T>) {
        return std::move(list).add_callback([] {});
    } else {
        return std::move(list).add_callback([](DeferredListResult<T> all) {
            std::vector<T> values;
            values.reserve(all.results.size());
            for (DeferredResult<T>& result : all.results) values.push_back(std::move(*result));
            return values;
        });
    }
}

namespace detail {

template <class T>
struct Race {
    using Won = std::pair<std::size_t, value_of<T>>;

    Race(const Deferred<Won>& result, std::vector<Deferred<T>> all)
        : source(result), participants(std::move(all)), failures(participants.size()), left(participants.size()) {}

    DeferredSource<Won> source;
    std::vector<Deferred<T>> participants;  // emptied when it is decided
    std::vector<Failure> failures;
    std::size_t left;
    bool decided = false;

    void fired(std::size_t index, DeferredResult<T> result) {
        --left;
        if (decided) return;
        if (result) {
            decided = true;
            cancel_each(std::exchange(participants, {}));
            source.fire(Won(index, std::move(*result)));
            return;
        }
        failures[index] = result.failure();
        if (left == 0) {
            decided = true;
            participants.clear();
            source.fire(Failure(FailureGroup(std::move(failures)), std::source_location()));
        }
    }
};

}  // namespace detail

/// The position and the value of the first that succeeds; the others are cancelled before it fires. When all fail: a
/// FailureGroup. An empty race never fires. The results of the participants are consumed.
/// Cancellation: cancels all; the result is then a FailureGroup, unless one succeeds.
template <class T>
Deferred<std::pair<std::size_t, detail::value_of<T>>> race(
    std::vector<Deferred<T>> participants, const std::source_location& where = std::source_location::current()) {
    Deferred<std::pair<std::size_t, detail::value_of<T>>> result(where);
    const std::vector<Deferred<T>> all = participants;
    auto record = std::make_shared<detail::Race<T>>(result, std::move(participants));
    detail::set_forwarding_canceller(result, [all] { detail::cancel_each(all); });
    for (std::size_t i = 0; i < all.size(); ++i) {
        all[i].add_both([record, i](DeferredResult<T> outcome) {
            record->fired(i, std::move(outcome));
            return DeferredResult<T>(Failure());
        });
    }
    return result;
}

}  // namespace lariat
