// SPDX-License-Identifier: MIT
// as_completed(): Tasks that run side by side, and their results one after another as they end.
//
//     Task<> show(Completions<Page>& pages) {
//         while (auto page = co_await pages.next()) print(page->index(), page->outcome());
//     }
//     co_await as_completed(std::move(downloads), show);
#pragma once

#include <lariat/coro/as_result.hpp>
#include <lariat/coro/sync/wait_queue.hpp>
#include <lariat/coro/task_scope.hpp>

#include <cstddef>
#include <functional>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace lariat {

/// How one of several Tasks ended.
template <class T>
class Completion {
public:
    Completion(std::size_t index, Outcome<T> outcome) : outcome_(std::move(outcome)), index_(index) {}

    /// Its position among the Tasks.
    [[nodiscard]] std::size_t index() const noexcept { return index_; }
    [[nodiscard]] Outcome<T>& outcome() noexcept { return outcome_; }
    [[nodiscard]] const Outcome<T>& outcome() const noexcept { return outcome_; }

private:
    Outcome<T> outcome_;
    std::size_t index_;
};

template <class T>
class Completions;

namespace detail {

template <class T>
class NextCompletion final : public QueuedOperation<NextCompletion<T>> {
public:
    explicit NextCompletion(Completions<T>& source) noexcept : source_(source) {}
    std::optional<Completion<T>> await_resume() {
        this->check();
        return source_.take();
    }

private:
    friend Operation<NextCompletion, QueuedWait>;

    bool begin() noexcept { return source_.has_next_or_wait(*this); }
    const char* verb() const noexcept override { return "next"; }

    Completions<T>& source_;
};

struct CompletionsMaker;

}  // namespace detail

/// What the consumer of as_completed() takes results from. One coroutine waits at a time.
template <class T>
class Completions {
public:
    /// The result that came first of those not taken yet; nothing when all were taken.
    ///
    /// Cancellation: a result that came first is delivered; none is lost.
    [[nodiscard]] detail::NextCompletion<T> next() noexcept { return detail::NextCompletion<T>(*this); }
    /// Those not taken yet.
    [[nodiscard]] std::size_t left() const noexcept { return left_; }

private:
    friend detail::NextCompletion<T>;
    friend detail::CompletionsMaker;

    explicit Completions(std::size_t count) : waiting_("the results of as_completed()"), left_(count) {
        ended_.reserve(count);
    }

    void add(std::size_t index, Outcome<T> outcome) noexcept {
        ended_.emplace_back(index, std::move(outcome));  // never grows
        if (!waiting_.empty()) waiting_.serve_front();
    }
    bool has_next_or_wait(detail::QueuedWait& wait) noexcept {
        if (left_ == 0 || taken_ < ended_.size()) return true;
        LARIAT_CHECK(waiting_.empty(), "two coroutines wait for the next result of as_completed(); one takes them");
        waiting_.push(wait);
        return false;
    }
    std::optional<Completion<T>> take() {
        if (left_ == 0) return std::nullopt;
        --left_;
        return std::move(ended_[taken_++]);
    }

    detail::WaitQueue waiting_;
    std::vector<Completion<T>> ended_;
    std::size_t taken_ = 0;
    std::size_t left_;
};

namespace detail {

struct CompletionsMaker {
    template <class T>
    static Completions<T> make(std::size_t count) {
        return Completions<T>(count);
    }
    template <class T>
    static Task<> collect(Completions<T>& to, std::size_t index, Task<T> task) {
        Outcome<T> outcome = co_await Hidden(TaskResult<T>(std::move(task)));
        to.add(index, std::move(outcome));
    }
    /// The body of the scope: the consumer, with all Tasks running; those that it did not wait for end with it.
    template <class R, class T, class F, class Arguments>
    static Task<R> consume(TaskScope& scope, Completions<T>& from, std::vector<Task<T>>& tasks, F& consumer,
                           Arguments& arguments) {
        for (std::size_t i = 0; i < tasks.size(); ++i)
            scope.spawn(&CompletionsMaker::collect<T>, std::ref(from), i, std::move(tasks[i]));
        Task<R> consuming = call(consumer, from, arguments);
        if constexpr (std::is_void_v<R>) {
            co_await Hidden(std::move(consuming));
            scope.cancel(CancelReason::scope_exit);
        } else {
            R result = co_await Hidden(std::move(consuming));
            scope.cancel(CancelReason::scope_exit);
            co_return result;
        }
    }

private:
    template <class F, class T, class Arguments>
    static auto call(F& consumer, Completions<T>& from, Arguments& arguments) {
        return std::apply([&](auto&... each) { return std::invoke(consumer, from, std::move(each)...); }, arguments);
    }
};

template <class F, class T, class... A>
struct ConsumerResult {
    static_assert(std::is_invocable_v<F&, Completions<T>&, A...>,
                  "the consumer is called with a Completions<T>& and copies of the arguments; write std::ref(x) for a "
                  "parameter that is a reference");
    using Returned = std::invoke_result_t<F&, Completions<T>&, A...>;
    static_assert(is_task<Returned>, "the consumer must return a Task");
    using type = typename Returned::value_type;
};

}  // namespace detail

/// Runs the Tasks side by side, calls `consumer(completions, arguments...)` to take their results, and gives what it
/// returns when it and all Tasks have ended. Those that still run when the consumer has ended are cancelled.
///
/// Cancellation: cancels the consumer and the Tasks. Errors: those of the consumer; a failure of a Task is an outcome
/// like any other.
template <class T, class F, class... A>
[[nodiscard]] auto as_completed(std::vector<Task<T>> tasks, F consumer, A... arguments)
    -> Task<typename detail::ConsumerResult<F, T, A...>::type> {
    using R = typename detail::ConsumerResult<F, T, A...>::type;
    Completions<T> completions = detail::CompletionsMaker::make<T>(tasks.size());
    std::tuple<A...> kept(std::move(arguments)...);
    co_return co_await detail::Hidden(with_scope(&detail::CompletionsMaker::consume<R, T, F, std::tuple<A...>>,
                                                 std::ref(completions), std::ref(tasks), std::ref(consumer),
                                                 std::ref(kept)));
}

}  // namespace lariat
