// SPDX-License-Identifier: MIT
#include <lariat/runtime/thread_pool.hpp>

#include <lariat/io/base/log.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/test/support/backends.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace lariat;
using namespace std::chrono_literals;

namespace {

/// Something threads wait for.
class Gate {
public:
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }
    void pass() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return open_; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool open_ = false;
};

}  // namespace

TEST_SUITE_BEGIN("runtime thread pool threads");

TEST_CASE("H05 work runs in other threads, which come when there is work") {
    Gate gate;
    std::atomic<int> inside{0};
    std::mutex mutex;
    std::set<std::thread::id> seen;
    ThreadPool pool(0, 3);
    pool.start();
    CHECK(pool.threads() == 0);
    for (int i = 0; i < 10; ++i) {
        pool.call_in_thread([&] {
            ++inside;
            gate.pass();
            const std::lock_guard lock(mutex);
            seen.insert(std::this_thread::get_id());
        });
    }
    while (inside < 3) std::this_thread::yield();
    CHECK(pool.threads() == 3);
    CHECK(inside == 3);
    gate.open();
    pool.stop();
    CHECK(inside == 10);
    CHECK(pool.threads() == 0);
    CHECK_FALSE(seen.contains(std::this_thread::get_id()));
}

TEST_CASE("H05 a pool keeps its minimum of threads from its start on") {
    ThreadPool pool;
    CHECK(pool.minimum() == 5);
    CHECK(pool.maximum() == 20);
    pool.start();
    CHECK(pool.threads() == 5);
    pool.stop();
    CHECK(pool.threads() == 0);
}

TEST_CASE("H05 work queued before the start runs after it, and a stopped pool may start again") {
    std::atomic<int> done{0};
    ThreadPool pool(0, 2);
    pool.call_in_thread([&] { ++done; });
    pool.call_in_thread([&] { ++done; });
    CHECK(pool.threads() == 0);
    pool.start();
    pool.stop();
    CHECK(done == 2);
    pool.call_in_thread([&] { ++done; });
    pool.start();
    pool.stop();
    CHECK(done == 3);
}

TEST_CASE("H05 what work throws is logged, and its thread goes on") {
    CapturedLogs logs;
    std::atomic<bool> next{false};
    ThreadPool pool(0, 1);
    pool.call_in_thread([] { throw std::runtime_error("work failed"); });
    pool.call_in_thread([&] { next = true; });
    pool.start();
    pool.stop();
    CHECK(next);
    CHECK(logs.count("work failed") == 1);
    CHECK(logs.count("Unhandled Error") == 1);
}

TEST_CASE("H05 a callback gets the success or what was thrown, in the thread that did the work") {
    CapturedLogs logs;
    std::vector<std::string> results;
    std::thread::id worked, told;
    ThreadPool pool(0, 1);
    pool.call_in_thread_with_callback(
        [&](const Failure& failure) {
            told = std::this_thread::get_id();
            results.push_back(failure ? "failed" : "fine");
        },
        [&] { worked = std::this_thread::get_id(); });
    pool.call_in_thread_with_callback([&](const Failure& failure) { results.push_back(failure.error_message()); },
                                      [] { throw std::runtime_error("no luck"); });
    pool.call_in_thread_with_callback([](const Failure&) { throw std::runtime_error("bad callback"); }, [] {});
    pool.start();
    pool.stop();
    CHECK(results == std::vector<std::string>{"fine", "no luck"});
    CHECK(worked == told);
    CHECK(logs.events().size() == 1);
    CHECK(logs.count("bad callback") == 1);
}

TEST_CASE("H02 a pool grows and shrinks when told") {
    Gate gate;
    std::atomic<int> inside{0};
    ThreadPool pool(0, 1);
    pool.start();
    for (int i = 0; i < 3; ++i) {
        pool.call_in_thread([&] {
            ++inside;
            gate.pass();
        });
    }
    while (inside < 1) std::this_thread::yield();
    CHECK(pool.threads() == 1);
    pool.adjust_size(0, 3);
    while (inside < 3) std::this_thread::yield();
    CHECK(pool.threads() == 3);
    pool.adjust_size(0, 1);
    gate.open();
    while (pool.threads() > 1) std::this_thread::yield();
    pool.adjust_size(2, 2);
    CHECK(pool.threads() == 2);
    CHECK_THROWS_AS(pool.adjust_size(3, 2), UsageError);
}

TEST_CASE("work that never began is destroyed with the pool") {
    const auto captured = std::make_shared<int>(0);
    {
        ThreadPool pool(0, 1);
        pool.call_in_thread([captured] { *captured = 1; });
    }
    CHECK(captured.use_count() == 1);
    CHECK(*captured == 0);
}

LARIAT_BACKEND_TEST_CASE(
    "H02 the reactor's pool has no thread until there is work, starts with it, and ends in shutdown") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    ThreadPool& pool = reactor.thread_pool();
    CHECK(&pool == &reactor.thread_pool());
    CHECK(pool.minimum() == 0);
    CHECK(pool.maximum() == 10);
    std::atomic<int> done{0};
    reactor.call_in_thread([&] { ++done; });
    CHECK(pool.threads() == 0);
    reactor.add_system_event_trigger(Phase::during, "shutdown", [&] { reactor.call_in_thread([&] { ++done; }); });
    reactor.add_system_event_trigger(Phase::after, "shutdown", [&] {
        CHECK(pool.threads() == 0);
        CHECK(done == 3);
    });
    reactor.call_when_running([&] {
        reactor.call_in_thread([&] {
            ++done;
            reactor.stop();
        });
    });
    reactor.run(false);
    CHECK(done == 3);

    reactor.call_in_thread([&] {
        ++done;
        reactor.call_from_thread([&] { reactor.stop(); });
    });
    reactor.run(false);
    CHECK(done == 4);
}

LARIAT_BACKEND_TEST_CASE("H02 suggest_thread_pool_size sets the maximum") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    reactor.suggest_thread_pool_size(34);
    CHECK(reactor.thread_pool().maximum() == 34);
    CHECK(reactor.thread_pool().minimum() == 0);
    reactor.suggest_thread_pool_size(4);
    CHECK(reactor.thread_pool().maximum() == 4);
}

LARIAT_KERNEL_TEST_CASE("H02 shutdown goes on making calls for threads that wait for them") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    std::atomic<bool> done{false};
    reactor.add_system_event_trigger(Phase::during, "shutdown", [&] {
        reactor.call_in_thread([&] {
            Gate answered;
            reactor.call_from_thread([&] { answered.open(); });
            answered.pass();
            done = true;
        });
    });
    reactor.call_when_running([&] { reactor.stop(); });
    reactor.run(false);
    CHECK(done);
}

LARIAT_BACKEND_TEST_CASE(
    "a reactor that dies without a shutdown drops calls that threads wait for, and lets them finish") {
    std::atomic<bool> done{false};
    Gate working;
    {
        Reactor reactor(ReactorOptions().backend(backend_kind));
        reactor.call_in_thread([&] {
            // Opened by whoever destroys the call, made or not.
            const auto dropped = std::make_shared<Gate>();
            const std::shared_ptr<void> open_when_destroyed(nullptr, [dropped](void*) { dropped->open(); });
            Function<void()> call = [open_when_destroyed] {};
            working.open();
            reactor.call_from_thread(std::move(call));
            done = true;
        });
        reactor.call_when_running([&] { reactor.call_from_thread([&] { reactor.crash(); }); });
        reactor.run(false);
    }
    CHECK(done);
}

TEST_SUITE_END();
