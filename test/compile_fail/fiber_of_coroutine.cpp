// SPDX-License-Identifier: MIT
// rejected: a coroutine needs no fiber: await it, or spawn it
#include <lariat/coro/fiber.hpp>

lariat::Task<int> answers() { co_return 42; }
int answers_in_fiber() { return lariat::fiber::await(answers()); }

lariat::Task<int> asks() {
#ifdef LARIAT_ACCEPTED
    co_return co_await lariat::in_fiber(answers_in_fiber);
#else
    co_return co_await lariat::in_fiber(answers);
#endif
}
