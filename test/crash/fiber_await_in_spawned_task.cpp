// SPDX-License-Identifier: MIT
// dies: fiber::await() in a coroutine that runs on a fiber's stack
#include <lariat/coro/fiber.hpp>
#include <lariat/coro/run.hpp>
#include <lariat/coro/sleep.hpp>
#include <lariat/coro/spawn.hpp>

using namespace lariat;

// A spawned task runs at once up to its first wait, here on the fiber's stack.
Task<> waits_as_in_a_fiber() {
    fiber::await(yield());
    co_return;
}
void spawns() { fiber::await(spawn(waits_as_in_a_fiber)); }

int main() { return run(in_fiber(spawns)); }
