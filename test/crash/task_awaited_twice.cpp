// SPDX-License-Identifier: MIT
// dies: this Task was awaited, spawned or moved away before; a Task runs once
#include <lariat/coro/run.hpp>

#include <utility>

using namespace lariat;

Task<> once() { co_return; }
Task<> awaits_twice() {
    Task<> task = once();
    co_await std::move(task);
    co_await std::move(task);
}

int main() { return run(awaits_twice()); }
