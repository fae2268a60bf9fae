// SPDX-License-Identifier: MIT
// dies: the result of a task was taken twice; join a task once
#include <lariat/coro/run.hpp>
#include <lariat/coro/spawn.hpp>

using namespace lariat;

Task<int> number() { co_return 1; }
Task<int> joins_twice() {
    const JoinHandle<int> job = spawn(number);
    const int first = co_await job;
    co_return first + co_await job;
}

int main() { return run(joins_twice()); }
