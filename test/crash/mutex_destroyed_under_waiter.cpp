// SPDX-License-Identifier: MIT
// dies: a Mutex was destroyed while a coroutine waits for it; cancel and join the coroutine first
#include <lariat/coro/run.hpp>
#include <lariat/coro/spawn.hpp>
#include <lariat/coro/sync/mutex.hpp>

#include <functional>

using namespace lariat;

Task<> waits(Mutex& mutex) { co_await mutex.lock(); }
Task<> forgets() {
    Mutex mutex;
    co_await mutex.lock();
    spawn(waits, std::ref(mutex));
}

int main() { return run(forgets()); }
