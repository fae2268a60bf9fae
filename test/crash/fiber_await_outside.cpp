// SPDX-License-Identifier: MIT
// dies: fiber::await() outside of a fiber; write co_await in a coroutine, or call the function that waits with
// dies: co_await in_fiber(function, arguments...)
#include <lariat/coro/fiber.hpp>
#include <lariat/coro/run.hpp>
#include <lariat/coro/sleep.hpp>

using namespace lariat;

Task<> waits_as_in_a_fiber() {
    fiber::await(yield());
    co_return;
}

int main() { return run(waits_as_in_a_fiber()); }
