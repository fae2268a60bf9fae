// SPDX-License-Identifier: MIT
// run_in_thread: results, and that nobody goes on while a function of his still runs.
#include <lariat/coro/run_in_thread.hpp>

#include <lariat/coro/as_result.hpp>
#include <lariat/coro/with_timeout.hpp>
#include <lariat/test/support/coro_world.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

TEST_SUITE_BEGIN("threads");

namespace lariat {
namespace {

using test::record;
using test::run_on;
using test::settle;

int add(int a, int b) { return a + b; }
std::string describe(std::unique_ptr<int> number) { return "number " + std::to_string(*number); }
int refuse() { throw ProtocolViolation("not in this thread"); }

Task<> results() {
    CHECK(co_await run_in_thread(add, 2, 3) == 5);
    auto number = std::make_unique<int>(7);
    const std::string text = co_await run_in_thread(describe, std::move(number));
    CHECK(text == "number 7");
    int target = 0;
    co_await run_in_thread([&target] { target = 4; });
    CHECK(target == 4);
    co_await run_in_thread([](int& to) { to = 6; }, std::ref(target));
    CHECK(target == 6);
    const Outcome<int> refused = co_await as_result(run_in_thread(refuse));
    CHECK(refused.failure().error_message() == "not in this thread");
    CHECK(co_await run_in_thread(
              [](const std::stop_token& stop, int value) { return stop.stop_possible() ? value : 0; }, 9)
          == 9);
}
LARIAT_BACKEND_TEST_CASE("run_in_thread() gives what the function returns or throws") { run_on(backend_kind, results); }

Task<> elsewhere() {
    const std::thread::id here = std::this_thread::get_id();
    const std::thread::id there = co_await run_in_thread([] { return std::this_thread::get_id(); });
    CHECK(there != here);
    CHECK(std::this_thread::get_id() == here);
}
LARIAT_KERNEL_TEST_CASE("the function runs in another thread, the coroutine never does") {
    run_on(backend_kind, elsewhere);
}

Task<std::string> runs(std::atomic<bool>& ran) {
    co_await run_in_thread([&ran] { ran = true; });
    co_return "done";
}
Task<std::string> runs_when_cancelled(std::atomic<bool>& ran) {
    co_await as_result(sleep(test::an_hour));
    co_await run_in_thread([&ran] { ran = true; });
    co_return "done";
}
// Holds the only thread of the pool until it is told to let go.
Task<> blocks(std::shared_future<void> until) {
    co_await run_in_thread([&until] { until.wait(); });
}
Task<> never_begun(bool simulated) {
    std::atomic<bool> ran = false;
    std::string outcome;
    const JoinHandle<> refused = spawn(record, std::ref(outcome), runs_when_cancelled(ran));
    refused.cancel();
    co_await refused;
    CHECK(outcome == "Cancelled: requested");
    CHECK_FALSE(ran);

    Reactor::current()->suggest_thread_pool_size(1);
    std::promise<void> gate;
    JoinHandle<> blocker;
    if (!simulated) blocker = spawn(blocks, gate.get_future().share());
    const JoinHandle<> queued = spawn(record, std::ref(outcome), runs(ran));
    queued.cancel();
    co_await queued;  // though the pool is busy
    CHECK(outcome == "Cancelled: requested");
    gate.set_value();
    if (!simulated) co_await blocker;
    co_await run_in_thread([] {});  // behind what was given up
    CHECK_FALSE(ran);
}
LARIAT_BACKEND_TEST_CASE("work that has not begun never does when it is cancelled") {
    run_on(backend_kind, never_begun, backend_kind == io::BackendKind::sim);
}

class Gate {
public:
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }
    void wait() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return open_; });
    }
    /// False when it was told to stop.
    bool wait(const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        return changed_.wait(lock, stop, [this] { return open_; });
    }

private:
    std::mutex mutex_;
    std::condition_variable_any changed_;
    bool open_ = false;
};

Task<std::string> until_stopped(Gate& begun) {
    Gate never;
    const bool opened = co_await run_in_thread([&](const std::stop_token& stop) {
        begun.open();
        return never.wait(stop);
    });
    co_return opened ? "opened" : "stopped";
}
Task<> stopped() {
    {
        Gate begun;
        std::string outcome;
        const JoinHandle<> job = spawn(record, std::ref(outcome), until_stopped(begun));
        begun.wait();
        job.cancel();
        co_await job;
        CHECK(outcome == "stopped");
    }
    {
        Gate begun;
        std::string outcome;
        const JoinHandle<> job = spawn(record, std::ref(outcome), with_timeout(1ms, until_stopped(begun)));
        begun.wait();  // before the loop looks at its timers
        co_await job;
        CHECK(outcome == "stopped");
    }
}
LARIAT_KERNEL_TEST_CASE("a cancellation asks a function that runs to stop, and its result is delivered") {
    run_on(backend_kind, stopped);
}

Task<std::string> cannot_stop(Gate& begun, Gate& end, bool& returned) {
    co_await run_in_thread([&] {
        begun.open();
        end.wait();
        returned = true;
    });
    co_await yield();
    co_return "went on";
}
Task<> leave_early(TaskScope& scope, std::string& outcome, Gate& end, bool& returned) {
    Gate begun;
    scope.spawn(record, std::ref(outcome), cannot_stop(begun, end, returned));
    begun.wait();
    scope.cancel(CancelReason::scope_exit);
    co_await as_result(settle());
    CHECK(outcome == "nothing yet");
    end.open();
    co_return;
}
Task<> scope_waits() {
    Gate end;
    bool returned = false;
    std::string outcome;
    co_await with_scope(leave_early, std::ref(outcome), std::ref(end), std::ref(returned));
    CHECK(returned);
    CHECK(outcome == "Cancelled: scope exit");  // at the wait behind it
}
LARIAT_KERNEL_TEST_CASE("a scope waits for functions that run, and what they return is delivered") {
    run_on(backend_kind, scope_waits);
}

Task<std::string> ends_quickly(Gate& done) {
    const int value = co_await run_in_thread([&done] {
        done.open();
        return 3;
    });
    co_return std::to_string(value);
}
Task<> done_and_cancelled() {
    Gate done;
    std::string outcome;
    const JoinHandle<> job = spawn(record, std::ref(outcome), ends_quickly(done));
    done.wait();  // the loop has not looked since
    job.cancel();
    co_await job;
    CHECK(outcome == "3");
}
LARIAT_KERNEL_TEST_CASE("the result of a function that has returned is delivered to a task that was cancelled") {
    run_on(backend_kind, done_and_cancelled);
}

}  // namespace
}  // namespace lariat

TEST_SUITE_END();
