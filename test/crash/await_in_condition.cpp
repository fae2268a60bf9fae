// SPDX-License-Identifier: MIT
// dies: it awaits in the condition of an if, while, do, for or switch and declares no variable
// dies: await_in_condition.cpp:12
#include <lariat/coro/run.hpp>
#include <lariat/coro/sleep.hpp>

using namespace lariat;

Task<bool> no() { co_return false; }
Task<> asks() {
    if (co_await no()) co_await yield();
}

int main() { return run(asks()); }
