// SPDX-License-Identifier: MIT
// The budgets of Tasks and of what hands over between them. A hand-over is one coroutine that ends the wait of another,
// and that one going on; both take turns, so that every step is one.
#include "task.hpp"

#include "measure.hpp"
#include "task_step.hpp"
#include <lariat/coro/coro.hpp>
#include <lariat/runtime/reactor.hpp>

#include <functional>

namespace lariat::bench {
namespace {

constexpr int times = steps_per_window;
long total = 0;

Task<long> ready(long value) { co_return value; }

Task<> await_ready_task() {
    for (int i = 0; i < times; ++i) total += co_await ready(1);
}
Task<> spawn_and_join() {
    for (int i = 0; i < times; ++i) total += co_await spawn(ready, 1L);
}
Task<> scope_spawns(TaskScope& scope) {
    for (int i = 0; i < times; ++i) total += co_await scope.spawn(ready, 1L);
}
Task<> spawn_in_scope() { co_await with_scope(scope_spawns); }
Task<> with_limit() {
    for (int i = 0; i < times; ++i) total += co_await with_timeout(1h, ready(1));
}
Task<> both() {
    for (int i = 0; i < times; ++i) {
        const auto results = co_await when_all(ready(1), ready(2));
        total += std::get<0>(results);
    }
}
Task<> yields() {
    for (int i = 0; i < times; ++i) co_await yield();
    total += times;
}
AsyncGenerator<long> ones() {
    for (int i = 0; i < times; ++i) co_yield 1;
}
Task<> generate() {
    auto all = ones();
    while (const auto one = co_await all.next()) total += *one;
}

Task<> lock_free_mutex() {
    Mutex mutex;
    for (int i = 0; i < times; ++i) {
        co_await mutex.lock();
        ++total;
        mutex.unlock();
    }
}
Task<> lock_in_turn(Mutex& mutex, int count) {
    for (int i = 0; i < count; ++i) {
        co_await mutex.lock();
        ++total;
        mutex.unlock();
    }
}
Task<> hand_over_mutex() {
    Mutex mutex;
    co_await mutex.lock();
    const JoinHandle<> a = spawn(lock_in_turn, std::ref(mutex), times / 2);
    const JoinHandle<> b = spawn(lock_in_turn, std::ref(mutex), times / 2);
    mutex.unlock();
    co_await a;
    co_await b;
}

Task<> answer(Semaphore& asked, Semaphore& answered) {
    for (int i = 0; i < times / 2; ++i) {
        co_await asked.acquire();
        ++total;
        answered.release();
    }
}
Task<> hand_over_semaphore() {
    Semaphore asked(0), answered(0);
    const JoinHandle<> other = spawn(answer, std::ref(asked), std::ref(answered));
    for (int i = 0; i < times / 2; ++i) {
        asked.release();
        co_await answered.acquire();
    }
    co_await other;
}

/// Queues make their room once; these keep it from one window to the next.
struct Queues {
    Queue<long> asked{1}, answered{1}, roomy{64};
};
Queues& queues() {
    static Queues all;
    return all;
}
Task<> answer_values(Queue<long>& asked, Queue<long>& answered) {
    for (int i = 0; i < times / 2; ++i) {
        const auto value = co_await asked.get();
        co_await answered.put(*value);
    }
}
Task<> hand_over_queue() {
    Queue<long>&asked = queues().asked, &answered = queues().answered;
    const JoinHandle<> other = spawn(answer_values, std::ref(asked), std::ref(answered));
    for (int i = 0; i < times / 2; ++i) {
        co_await asked.put(1);
        const auto value = co_await answered.get();
        total += *value;
    }
    co_await other;
}
Task<> consume(Queue<long>& queue) {
    for (int i = 0; i < times; ++i) {
        const auto value = co_await queue.get();
        total += *value;
    }
}
Task<> stream_queue() {
    Queue<long>& queue = queues().roomy;
    const JoinHandle<> other = spawn(consume, std::ref(queue));
    for (int i = 0; i < times; ++i) co_await queue.put(1);
    co_await other;
}

Task<> print_all() {
    static constexpr TaskStep steps[] = {
        {"Task: await one that is ready", await_ready_task, 14},
        {"Task: spawn and join", spawn_and_join, 45},
        {"Task: spawn into a scope and join", spawn_in_scope, 45},
        {"Task: yield()", yields, -1},
        {"Task: with_timeout() of a ready one", with_limit, -1},
        {"Task: when_all() of two ready ones", both, -1},
        {"AsyncGenerator: a value", generate, -1},
        {"Mutex: lock and unlock, free", lock_free_mutex, -1},
        {"Mutex: hand-over", hand_over_mutex, 40},
        {"Semaphore: hand-over", hand_over_semaphore, 40},
        {"Queue: hand-over", hand_over_queue, 40},
        {"Queue: a value, with room for 64", stream_queue, -1},
    };
    co_await print_steps(steps);
}

}  // namespace

int measure_tasks() {
    const int status = run(print_all());
    keep(total);
    return status == 0 && total > 0 ? 0 : 1;
}

}  // namespace lariat::bench
