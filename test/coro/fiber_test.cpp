// SPDX-License-Identifier: MIT
// in_fiber() and fiber::await(): values, exceptions and cancellation across the switch, fibers among coroutines.
#include <lariat/coro/fiber.hpp>

#include <lariat/coro/deferred.hpp>
#include <lariat/coro/shield.hpp>
#include <lariat/coro/sync/queue.hpp>
#include <lariat/coro/sync/semaphore.hpp>
#include <lariat/coro/task_tree.hpp>
#include <lariat/coro/with_timeout.hpp>
#include <lariat/test/support/sim_network.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace lariat {
namespace {

using namespace std::chrono_literals;
using test::an_hour;
using test::any_backend;
using test::record;
using test::run_on;
using test::settle;

constexpr Duration soon = 1ms;

Task<int> later(int value) {
    co_await yield();
    co_return value;
}
Task<int> at_once(int value) { co_return value; }
Task<int> fails_later() {
    co_await yield();
    throw std::runtime_error("of the Task");
}

// Not a tail call, and a frame the optimiser cannot drop.
int wait_at_depth(int depth) {
    volatile char frame[256] = {};
    if (depth == 0) return fiber::await(later(7));
    return wait_at_depth(depth - 1) + frame[depth % 256];
}

std::string wait_for_everything(Deferred<int> fired, Deferred<int> fires_later, Queue<int>& queue,
                                const JoinHandle<int>& job) {
    std::string got = std::to_string(fiber::await(at_once(1)));
    got += std::to_string(fiber::await(later(2)));
    got += std::to_string(fiber::await(fired));
    got += std::to_string(fiber::await(std::move(fires_later)));
    fiber::await(sleep(soon));
    got += std::to_string(*fiber::await(queue.get()));
    got += std::to_string(fiber::await(job));
    const Outcome<int> outcome = fiber::await(as_result(fails_later()));
    got += outcome.check<std::runtime_error>() ? "!" : "?";
    const Outcome<> late = fiber::await(as_result(sleep(an_hour).within(1ms)));
    return got + (late.check<TimedOut>() ? "!" : "?");
}

LARIAT_BACKEND_TEST_CASE("fiber: a function waits for anything, at any depth of its calls") {
    run_on(backend_kind, []() -> Task<> {
        CHECK(co_await in_fiber(wait_at_depth, 100) == 7);
        Deferred<int> fired, fires_later;
        fired.callback(3);
        Queue<int> queue(1);
        const JoinHandle<int> job = spawn(later, 6);
        const JoinHandle<> other = spawn(
            [](Deferred<int>& source, Queue<int>& values) -> Task<> {
                co_await yield();
                source.callback(4);
                co_await sleep(soon);
                co_await values.put(5);
            },
            std::ref(fires_later), std::ref(queue));
        CHECK(co_await in_fiber(wait_for_everything, fired, fires_later, std::ref(queue), std::ref(job)) == "123456!!");
        co_await other;
        CHECK(Fiber::current() == nullptr);
    });
}

TEST_CASE("fiber: arguments are moved in, the result is moved out, and what lies on the stack is destroyed") {
    run_on(any_backend, []() -> Task<> {
        auto owned = std::make_unique<int>(1);
        const auto watched = std::make_shared<int>(2);
        int seen = 0;
        const auto function = [&seen](std::unique_ptr<int> mine, std::shared_ptr<int> shared, int& counted) {
            CHECK(Fiber::current() != nullptr);
            seen = *mine + *shared + fiber::await(later(4));
            counted = 9;
            return mine;
        };
        int counter = 0;
        const auto options = FiberOptions().stack_size(100'000);
        owned = co_await in_fiber(options, function, std::move(owned), watched, std::ref(counter));
        CHECK(seen == 7);
        CHECK(counter == 9);
        CHECK(*owned == 1);
        CHECK(watched.use_count() == 1);
        co_await in_fiber([] {});
        const Task<int> never_started = in_fiber([](std::shared_ptr<int>) { return 1; }, watched);
        CHECK(watched.use_count() == 2);
    });
}

// Exceptions

[[noreturn]] void throw_by_itself() {
    fiber::await(yield());
    throw std::logic_error("by itself");
}
int rethrow_in_handler(int depth) {
    try {
        return fiber::await(fails_later());
    } catch (const std::runtime_error& error) {
        CHECK(std::string(error.what()) == "of the Task");
        fiber::await(yield());  // another stack runs while this exception is being handled
        if (depth == 0) throw;
        throw std::invalid_argument("in a handler");
    }
}
std::string both_thrown() {
    std::string texts;
    for (const int depth : {0, 1}) {
        try {
            fiber::await(in_fiber(rethrow_in_handler, depth));
        } catch (const std::exception& error) {
            texts += std::string(error.what()) + ";";
        }
    }
    return texts;
}

LARIAT_BACKEND_TEST_CASE("fiber: what is thrown on either stack is caught on the other one") {
    run_on(backend_kind, []() -> Task<> {
        const Outcome<> outcome = co_await as_result(in_fiber(throw_by_itself));
        CHECK(outcome.check<std::logic_error>());
        CHECK(co_await in_fiber(both_thrown) == "of the Task;in a handler;");
        CHECK(std::uncaught_exceptions() == 0);
    });
}

auto lines_of(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

int fail_deep_down() { return fiber::await(fails_later()); }
constexpr int in_fail_deep_down = __LINE__ - 1;

TEST_CASE("fiber: the trace of a failure names the function in which fiber::await() threw") {
    run_on(any_backend, []() -> Task<> {
        const Outcome<int> outcome = co_await as_result(in_fiber(fail_deep_down));
        const std::string trace = outcome.failure().traceback();
        INFO(trace);
        const auto at = trace.find("fiber_test.cpp:" + std::to_string(in_fail_deep_down) + ", in ");
        REQUIRE(at != trace.npos);
        CHECK(trace.find("fail_deep_down", at) < trace.find('\n', at));
        CHECK(trace.find("fails_later", at) != trace.npos);
        CHECK(lines_of(trace) == 4);  // the heading, the two, the exception
        const Outcome<> own = co_await as_result(in_fiber(throw_by_itself));
        CHECK(lines_of(own.failure().traceback()) == 2);
    });
}

// Cancellation

struct Steps {
    std::string text;
    Semaphore begun{0};
};

std::string wait_twice(Steps& steps) {
    steps.text += "begun";
    steps.begun.release();
    for (int i = 0; i < 2; ++i) {
        try {
            fiber::await(sleep(an_hour));
        } catch (const Cancelled& cancelled) {
            steps.text += ", " + std::string(to_string(cancelled.reason()));
        }
    }
    fiber::await(shield(later(0)));
    steps.text += ", shielded";
    fiber::await(sleep(an_hour));
    return "done";
}
Task<std::string> waits_twice(Steps& steps) { co_return co_await in_fiber(wait_twice, std::ref(steps)); }
Task<std::string> cancelled_before(Steps& steps) {
    co_await as_result(sleep(an_hour));
    co_return co_await waits_twice(steps);
}

LARIAT_BACKEND_TEST_CASE("fiber: a cancellation before the start or in flight reaches every wait; the function ends") {
    run_on(backend_kind, []() -> Task<> {
        for (const bool before : {true, false}) {
            Steps steps;
            std::string outcome;
            const JoinHandle<> job =
                spawn(record, std::ref(outcome), before ? cancelled_before(steps) : waits_twice(steps));
            if (!before) co_await steps.begun.acquire();
            job.cancel();
            co_await job;
            CHECK(outcome == "Cancelled: requested");
            CHECK(steps.text == "begun, requested, requested, shielded");
        }
    });
}

std::string take_one(Queue<int>& queue) {
    const int value = *fiber::await(queue.get());
    const Outcome<> next = fiber::await(as_result(yield()));
    return std::to_string(value) + (next.check<Cancelled>() ? " and then cancelled" : "");
}
Task<std::string> takes_one(Queue<int>& queue) { co_return co_await in_fiber(take_one, std::ref(queue)); }

LARIAT_BACKEND_TEST_CASE("fiber: a result that came before the cancellation is delivered") {
    run_on(backend_kind, []() -> Task<> {
        Queue<int> queue(1);
        std::string outcome;
        const JoinHandle<> job = spawn(record, std::ref(outcome), takes_one(queue));
        co_await queue.put(5);
        job.cancel();
        co_await job;
        CHECK(outcome == "5 and then cancelled");
    });
}

std::string limits_inside() {
    try {
        fiber::await(with_timeout(1ms, later(1)));
        fiber::await(with_timeout(1ms, in_fiber([] { fiber::await(sleep(an_hour)); })));
    } catch (const TimedOut&) {
        fiber::await(sleep(an_hour));  // under the outer limit
    }
    return "nothing stopped it";
}
Task<std::string> limited() { co_return co_await with_timeout(20ms, in_fiber(limits_inside)); }

LARIAT_BACKEND_TEST_CASE("fiber: limits around a fiber and inside of it end the waits within, each in its own place") {
    run_on(backend_kind, []() -> Task<> {
        std::string outcome;
        co_await record(outcome, limited());
        CHECK(outcome == "TimedOut: with_timeout() timed out after 20 ms");
    });
}

Deferred<std::string> as_deferred(Steps& steps) { co_return co_await in_fiber(wait_twice, std::ref(steps)); }

TEST_CASE("fiber: a function that returns Deferred awaits one; a cancellation interrupts a single wait") {
    run_on(any_backend, []() -> Task<> {
        Steps steps;
        Deferred<std::string> d = as_deferred(steps);
        CHECK(steps.text == "begun");
        d.cancel();  // the function goes on inside this call
        CHECK(steps.text == "begun, requested");
        d.cancel();
        co_await settle();
        CHECK(steps.text == "begun, requested, requested, shielded");
        d.cancel();
        CHECK((co_await as_result(d)).check<Cancelled>());
    });
}

std::string wait_for_deferred(Deferred<std::string>& source) { return fiber::await(source) + " in the fiber"; }
Deferred<std::string> relays(Deferred<std::string>& source) {
    co_return co_await in_fiber(wait_for_deferred, std::ref(source)) + ", relayed";
}

TEST_CASE("fiber: firing a Deferred resumes the fiber that waits for it inside the call, also out of another fiber") {
    run_on(any_backend, []() -> Task<> {
        Deferred<std::string> a, b;
        Deferred<std::string> relayed_a = relays(a), relayed_b = relays(b);
        a.callback("a");
        CHECK(relayed_a.called());
        co_await in_fiber([&] {
            Fiber* const self = Fiber::current();
            b.callback("b");
            CHECK(relayed_b.called());
            CHECK(Fiber::current() == self);
            fiber::await(yield());
        });
        CHECK(co_await relayed_a == "a in the fiber, relayed");
        CHECK(co_await relayed_b == "b in the fiber, relayed");
    });
}

// Awaiters of somebody else's, which may resume whoever waits before it has stopped.

template <class Returned>
struct ResumesAtOnce {
    bool await_ready() const noexcept { return false; }
    Returned await_suspend(std::coroutine_handle<> waiter) const {
        if constexpr (std::is_same_v<Returned, std::coroutine_handle<>>) {
            return waiter;
        } else {
            waiter.resume();
            return Returned(true);
        }
    }
    int await_resume() const noexcept { return 1; }
};
struct ResumesLater {
    std::coroutine_handle<>& waiting;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter) const noexcept { waiting = waiter; }
    void await_resume() const noexcept {}
};

TEST_CASE("fiber: an awaiter may resume the fiber later, or before it has stopped") {
    run_on(any_backend, []() -> Task<> {
        std::coroutine_handle<> waiting;
        std::string steps;
        const JoinHandle<int> job = spawn(
            in_fiber,
            [](std::coroutine_handle<>& stopped, std::string& text) {
                int sum = 0;
                for (int i = 0; i < 100; ++i) {
                    sum += fiber::await(ResumesAtOnce<void>()) + fiber::await(ResumesAtOnce<bool>())
                           + fiber::await(ResumesAtOnce<std::coroutine_handle<>>());
                }
                text += "a";
                fiber::await(ResumesLater{stopped});
                text += "b";
                return sum + fiber::await(ResumesAtOnce<bool>());
            },
            std::ref(waiting), std::ref(steps));
        CHECK(steps == "a");
        waiting.resume();
        CHECK(steps == "ab");
        CHECK(co_await job == 301);
    });
}

// Many

void echo_here(TcpStream& peer) {
    while (const Buffer data = fiber::await(peer.read_some())) fiber::await(peer.write(data.text()));
}
Task<> echo_in_fiber(TcpStream peer) { co_await in_fiber(echo_here, std::ref(peer)); }

int ask(const Address& where, int number) {
    TcpStream peer = fiber::await(connect(where));
    int right = 0;
    for (int i = 0; i < 5; ++i) {
        const std::string sent = std::to_string(number) + " " + std::to_string(i) + "\n";
        fiber::await(peer.write(sent));
        right += fiber::await(peer.read_until("\n")).text() == sent;
    }
    return right;
}
Task<> ask_all(TaskScope& scope, Address where, int& right) {
    std::vector<JoinHandle<int>> clients;
    for (int number = 0; number < 30; ++number) clients.push_back(scope.spawn(in_fiber, ask, where, number));
    for (const JoinHandle<int>& client : clients) right += co_await client;
}
Task<int> ask_and_serve() {
    Listener listener(Address::loopback(0));
    const JoinHandle<> server = spawn([](Listener& all) { return all.serve(echo_in_fiber); }, std::ref(listener));
    int right = 0;
    co_await with_scope(ask_all, listener.local_address(), std::ref(right));
    server.cancel();
    co_await as_result(server);
    co_return right;
}

LARIAT_BACKEND_TEST_CASE("fiber: many of them in a scope talk to many others over sockets") {
    run_on(backend_kind, []() -> Task<> { CHECK(co_await ask_and_serve() == 150); });
}

TEST_CASE("fiber: when one of a scope fails the others are cancelled, and all have ended") {
    run_on(any_backend, []() -> Task<> {
        int ended = 0;
        const auto waits = [](int& count) {
            try {
                fiber::await(sleep(an_hour));
            } catch (const Cancelled&) {
                ++count;
                throw;
            }
        };
        const Outcome<> outcome = co_await as_result(with_scope([&](TaskScope& scope) -> Task<> {
            for (int i = 0; i < 3; ++i) scope.spawn(in_fiber, waits, std::ref(ended));
            scope.spawn(in_fiber, throw_by_itself);
            co_return;
        }));
        CHECK(outcome.check<std::logic_error>());
        CHECK(ended == 3);
    });
}

TEST_CASE("fiber: fibers in programs on a simulated network wait in virtual time") {
    test::TwoHosts hosts;
    hosts.serve(echo_in_fiber);
    const auto asks = [](std::string host) -> Task<std::string> {
        const Address where(host + ":7");
        co_await in_fiber([] { fiber::await(in_fiber([] { fiber::await(sleep(an_hour)); })); });
        co_return std::to_string(co_await in_fiber(ask, where, 1)) + " answers";
    };
    CHECK(hosts.ask(asks, "10.0.0.1") == "5 answers");
    CHECK(hosts.seconds() == doctest::Approx(3600.0 + 6 * 0.020).epsilon(0.0001));
}

int inner_wait() { return fiber::await(later(1)); }
constexpr int in_inner_wait = __LINE__ - 1;
int outer_wait() {
    const int one = fiber::await(in_fiber(inner_wait));
    return one + 1;
}
constexpr int in_outer_wait = __LINE__ - 3;

TEST_CASE("fiber: a fiber awaits another one, and both stand in the tree of tasks where they wait") {
    run_on(any_backend, []() -> Task<> {
        const JoinHandle<int> job = spawn(in_fiber, outer_wait);
        const std::string tree = dump_tasks();
        INFO(tree);
        const auto outer = tree.find("fiber_test.cpp:" + std::to_string(in_outer_wait) + ", in ");
        const auto inner = tree.find("fiber_test.cpp:" + std::to_string(in_inner_wait) + ", in ");
        REQUIRE(inner != tree.npos);
        CHECK(outer < inner);
        CHECK(tree.find("outer_wait", outer) < tree.find('\n', outer));
        CHECK(tree.find("inner_wait", inner) < tree.find('\n', inner));
        CHECK(tree.find("waits for yield") != tree.npos);
        CHECK(tree.find("coro/fiber.") == tree.npos);
        CHECK(co_await job == 2);
    });
}

const void* where_it_runs() {
    int local = 0;
    fiber::await(yield());
    return reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(&local) >> 18);
}

TEST_CASE("fiber: stacks are used again") {
    run_on(any_backend, []() -> Task<> {
        co_await in_fiber(where_it_runs);
        const std::size_t kept = FiberStack::kept();
        for (int i = 0; i < 3; ++i) {
            const JoinHandle<const void*> job = spawn(in_fiber, where_it_runs);
            CHECK(FiberStack::kept() == kept - 1);
            co_await job;
            CHECK(FiberStack::kept() == kept);
        }
    });
}

TEST_SUITE("threads") {
    TEST_CASE("fiber: two reactors run fibers of their own side by side") {
        int right[2] = {};
        {
            std::jthread other([&] { run_on(any_backend, [&]() -> Task<> { right[1] = co_await ask_and_serve(); }); });
            run_on(any_backend, [&]() -> Task<> { right[0] = co_await ask_and_serve(); });
        }
        CHECK(right[0] == 150);
        CHECK(right[1] == 150);
    }
}

}  // namespace
}  // namespace lariat
