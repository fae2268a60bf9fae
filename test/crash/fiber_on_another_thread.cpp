// SPDX-License-Identifier: MIT
// dies: a fiber was resumed on another thread than the one it began on; fibers never move
#include <lariat/coro/fiber.hpp>
#include <lariat/coro/run.hpp>
#include <lariat/coro/spawn.hpp>

#include <coroutine>
#include <thread>

using namespace lariat;

// An awaiter of somebody's own.
std::coroutine_handle<> waiting;
struct Waits {
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter) const noexcept { waiting = waiter; }
    void await_resume() const noexcept {}
};

Task<> resumes_elsewhere() {
    const JoinHandle<> job = spawn(in_fiber, [] { fiber::await(Waits()); });
    std::thread([] { waiting.resume(); }).join();
    co_await job;
}

int main() { return run(resumes_elsewhere()); }
