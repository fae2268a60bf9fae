// SPDX-License-Identifier: MIT
// rejected: this awaitable is an aggregate that owns something
#include <lariat/coro/task.hpp>

#include <coroutine>
#include <string>

struct Ready {
#ifdef LARIAT_ACCEPTED
    explicit Ready(int) {}
#else
    explicit operator bool() const { return true; }
#endif
    bool await_ready() const noexcept { return true; }
    void await_suspend(std::coroutine_handle<>) noexcept {}
    void await_resume() noexcept {}
    std::string text;
};

lariat::Task<> awaits() {
#ifdef LARIAT_ACCEPTED
    co_await Ready(1);
#else
    co_await Ready{};
#endif
}
