// SPDX-License-Identifier: MIT
// rejected: a Task is awaited once and gives its result away: write co_await std::move(task)
#include <lariat/coro/task.hpp>

lariat::Task<int> number() { co_return 1; }

lariat::Task<int> awaits() {
    lariat::Task<int> task = number();
#ifdef LARIAT_ACCEPTED
    co_return co_await std::move(task);
#else
    co_return co_await task;
#endif
}
