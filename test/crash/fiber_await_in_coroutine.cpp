// SPDX-License-Identifier: MIT
// dies: fiber::await() in a coroutine that runs on a fiber's stack
#include <lariat/coro/fiber.hpp>
#include <lariat/coro/run.hpp>
#include <lariat/coro/sleep.hpp>

using namespace lariat;

// The fiber would stop in the place of the coroutine that it has started.
Task<> waits_as_in_a_fiber() {
    fiber::await(yield());
    co_return;
}
void waits() { fiber::await(waits_as_in_a_fiber()); }

int main() { return run(in_fiber(waits)); }
