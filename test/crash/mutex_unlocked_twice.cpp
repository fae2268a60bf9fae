// SPDX-License-Identifier: MIT
// dies: a Mutex was unlocked that nobody holds
#include <lariat/coro/run.hpp>
#include <lariat/coro/sync/mutex.hpp>

using namespace lariat;

Task<> unlocks_twice() {
    Mutex mutex;
    {
        const auto lock = co_await mutex.scoped_lock();
        mutex.unlock();
    }
}

int main() { return run(unlocks_twice()); }
