// SPDX-License-Identifier: MIT
// InitialAwaiter: the first await of every coroutine, where a frame that the compiler laid out wrongly is noticed.
//
// g++ 12 does that to a coroutine which declares no variable in its body and has a `co_await` in the condition of an
// if, while, do, for or switch: the value it makes of the condition comes before what every frame begins with, and what
// resumes the coroutine finds something else. Where the frame is right, the check is known at compile time and costs
// nothing.
#pragma once

#include <lariat/coro/promise.hpp>

#include <coroutine>

namespace lariat::detail {

[[noreturn]] void panic_about_frame(const PromiseBase& promise) noexcept;

template <bool Suspends>
class InitialAwaiter {
public:
    explicit InitialAwaiter(const PromiseBase& promise) noexcept : promise_(promise) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <LariatPromise P>
    bool await_suspend(std::coroutine_handle<P> self) const noexcept {
        if (static_cast<const PromiseBase*>(&self.promise()) != &promise_) panic_about_frame(promise_);
        return Suspends;
    }
    void await_resume() const noexcept {}

private:
    const PromiseBase& promise_;
};

}  // namespace lariat::detail
