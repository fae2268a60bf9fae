// SPDX-License-Identifier: MIT
// dies: next() of an AsyncGenerator was awaited while an earlier one waits
#include <lariat/coro/async_generator.hpp>
#include <lariat/coro/run.hpp>
#include <lariat/coro/sleep.hpp>
#include <lariat/coro/when_all.hpp>

using namespace lariat;

AsyncGenerator<int> numbers() {
    co_await yield();
    co_yield 1;
}
Task<> takes(AsyncGenerator<int>& from) { co_await from.next(); }
Task<> both() {
    auto all = numbers();
    co_await when_all(takes(all), takes(all));
}

int main() { return run(both()); }
