// SPDX-License-Identifier: MIT
// CallRoot: the root made of a function and its arguments, and the compile-time rules for both. Not for users.
#pragma once

#include <lariat/coro/task_root.hpp>

#include <exception>
#include <functional>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace lariat::detail {

/// A root with a result of type T.
template <class T>
class ResultRoot : public TaskRoot {
public:
    /// Once, when is_done(): the result, or throws what the Task ended with.
    T take() {
        set_observed();
        if (failure()) failure().raise();
        if constexpr (std::is_reference_v<T>) {
            return **value_;
        } else if constexpr (!std::is_void_v<T>) {
            LARIAT_CHECK(value_.has_value(), "the result of a task was taken twice; join a task once");
            std::optional<T> taken = std::exchange(value_, std::nullopt);
            return std::move(*taken);
        }
    }

protected:
    using TaskHandle = typename Task<T>::Handle;
    using TaskRoot::TaskRoot;

    void run(Task<T> task) noexcept {
        task_ = task.release();
        start(task_);
    }
    /// Takes the result out of the Task and destroys its frame.
    void settle_task() noexcept {
        if (!task_) return;
        TaskPromise<T>& promise = task_.promise();
        if (promise.has_failed()) {
            set_failure(promise.raised());
        } else if constexpr (std::is_reference_v<T>) {
            value_ = std::addressof(promise.take());
        } else if constexpr (!std::is_void_v<T>) {
            try {
                value_.emplace(promise.take());
            } catch (...) {
                set_failure(Failure(std::current_exception(), promise.wait_location()));
            }
        }
        std::exchange(task_, nullptr).destroy();
    }

private:
    struct Nothing {};
    using Value = std::conditional_t<std::is_void_v<T>, Nothing,
                                     std::conditional_t<std::is_reference_v<T>, std::remove_reference_t<T>*, T>>;

    TaskHandle task_;
    std::optional<Value> value_;
};

template <class F>
inline constexpr bool is_capturing_lambda = is_closure<F>() && !std::is_empty_v<F>;

/// What a function that is to be spawned gives: T of the Task<T> it returns. Explains itself when it cannot be.
template <class F, class... A>
struct SpawnResult {
    static_assert(
        !is_capturing_lambda<F>,
        "a capturing lambda cannot be spawned: what it captured would die before the task does. Pass what the "
        "task needs as arguments: spawn([](State s) -> Task<> {...}, std::move(s))");
    static_assert(
        std::is_invocable_v<F, A...>,
        "the function cannot be called with copies of these arguments; write std::ref(x) for a parameter that "
        "is a reference, and std::move(x) for what cannot be copied");
    using Returned = std::invoke_result_t<F, A...>;
    static_assert(is_task<Returned>, "the function must return a Task");
    using type = typename Returned::value_type;
};
template <class F, class... A>
using spawn_result = typename SpawnResult<std::decay_t<F>, std::decay_t<A>...>::type;

template <class T, class F, class... A>
class CallRoot final : public ResultRoot<T> {
public:
    template <class G, class... B>
    CallRoot(RootOwner& owner, G&& function, B&&... arguments)
        : ResultRoot<T>(owner),
          call_(std::in_place, std::forward<G>(function), std::tuple<A...>(std::forward<B>(arguments)...)) {}

    void begin() noexcept {
        try {
            this->run(std::apply(
                [this](A&... arguments) { return std::invoke(std::move(call_->first), std::move(arguments)...); },
                call_->second));
        } catch (...) {
            this->fail_to_start(std::current_exception());
        }
    }

private:
    void settle() noexcept override {
        this->settle_task();
        call_.reset();
    }

    // Kept until the end: the Task may refer to arguments that its function takes by reference.
    std::optional<std::pair<F, std::tuple<A...>>> call_;
};

}  // namespace lariat::detail
