// SPDX-License-Identifier: MIT
// dies: a started Task was destroyed before its end
#include <lariat/coro/task.hpp>

#include <coroutine>
#include <exception>

using namespace lariat;

// Somebody's own kind of coroutine that destroys its frame while it waits.
struct Careless {
    struct promise_type : detail::PromiseBase {
        promise_type() { set_context(cancellation); }
        Careless get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
        detail::CancelContext cancellation{true};
    };
    std::coroutine_handle<promise_type> frame;
};

Task<> waits_for_ever() { co_await std::suspend_always(); }
Careless awaits() { co_await waits_for_ever(); }

int main() { awaits().frame.destroy(); }
