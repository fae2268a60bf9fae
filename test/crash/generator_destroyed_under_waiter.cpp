// SPDX-License-Identifier: MIT
// dies: an AsyncGenerator was destroyed while somebody waits for its next value
#include <lariat/coro/async_generator.hpp>
#include <lariat/coro/run.hpp>
#include <lariat/coro/sleep.hpp>
#include <lariat/coro/spawn.hpp>

#include <functional>

using namespace lariat;

AsyncGenerator<int> numbers() {
    co_await yield();
    co_yield 1;
}
Task<> takes(AsyncGenerator<int>& from) { co_await from.next(); }
Task<> forgets() {
    auto all = numbers();
    spawn(takes, std::ref(all));
    co_return;
}

int main() { return run(forgets()); }
