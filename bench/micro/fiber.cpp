// SPDX-License-Identifier: MIT
// The budget of fibers. A switch is one way: to a fiber, or back from it.
#include "fiber.hpp"

#include "measure.hpp"
#include "task_step.hpp"
#include <lariat/coro/coro.hpp>
#include <lariat/io/base/fiber_context.hpp>

#include <functional>

namespace lariat::bench {
namespace {

constexpr int times = steps_per_window;
long fiber_total = 0;

void stops_for_ever(void* stopping) noexcept {
    while (!*static_cast<const bool*>(stopping)) FiberContext::suspend();
}
Cost switch_cost() {
    bool stopping = false;
    FiberContext context(stops_for_ever, &stopping);
    const Cost cost = cost_of_steps(times, 500, [&] {
        for (int i = 0; i < times / 2; ++i) context.resume();
    });
    stopping = true;
    context.resume();
    return cost;
}

Task<long> ready_at_once(long value) { co_return value; }
long one() noexcept { return 1; }

void awaits_ready() {
    for (int i = 0; i < times; ++i) fiber_total += fiber::await(ready_at_once(1));
}
void yields_in_fiber() {
    for (int i = 0; i < times; ++i) fiber::await(yield());
    fiber_total += times;
}
void answers_in_fiber(Semaphore& asked, Semaphore& answered) {
    for (int i = 0; i < times / 2; ++i) {
        fiber::await(asked.acquire());
        ++fiber_total;
        answered.release();
    }
}
void asks_in_fiber(Semaphore& asked, Semaphore& answered) {
    for (int i = 0; i < times / 2; ++i) {
        asked.release();
        fiber::await(answered.acquire());
    }
}

Task<> fiber_await_ready() { co_await in_fiber(awaits_ready); }
Task<> fiber_yield() { co_await in_fiber(yields_in_fiber); }
Task<> fiber_hand_over() {
    Semaphore asked(0), answered(0);
    const JoinHandle<> other = spawn(in_fiber, answers_in_fiber, std::ref(asked), std::ref(answered));
    co_await in_fiber(asks_in_fiber, std::ref(asked), std::ref(answered));
    co_await other;
}
Task<> fiber_start_and_end() {
    for (int i = 0; i < times; ++i) fiber_total += co_await in_fiber(one);
}
Task<> fiber_spawn_and_join() {
    for (int i = 0; i < times; ++i) fiber_total += co_await spawn(in_fiber, one);
}

Task<> print_fibers() {
    static constexpr TaskStep steps[] = {
        {"Fiber: await a Task that is ready", fiber_await_ready, -1}, {"Fiber: yield()", fiber_yield, -1},
        {"Fiber: hand-over by semaphore", fiber_hand_over, -1},       {"Fiber: start and end", fiber_start_and_end, -1},
        {"Fiber: spawn and join", fiber_spawn_and_join, -1},
    };
    co_await print_steps(steps);
}

}  // namespace

int measure_fibers() {
    print_line("Fiber: a switch", switch_cost(), 15, 0);
    const int status = run(print_fibers());
    keep(fiber_total);
    return status == 0 && fiber_total > 0 ? 0 : 1;
}

}  // namespace lariat::bench
