// SPDX-License-Identifier: MIT
#include <lariat/runtime/mailbox.hpp>

#include <lariat/io/backend.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/test/support/backends.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

using namespace lariat;
using namespace std::chrono_literals;

namespace {

/// Mail that writes its name down.
struct Letter final : Mail {
    Letter(std::vector<int>& log_, int name_) : Mail(&read, &drop), log(log_), name(name_) {}
    static void read(Mail& mail) noexcept {
        auto& self = static_cast<Letter&>(mail);
        self.log.push_back(self.name);
        if (self.then) self.then(self);
    }
    static void drop(Mail& mail) noexcept {
        auto& self = static_cast<Letter&>(mail);
        self.log.push_back(-self.name);
    }
    std::vector<int>& log;
    int name;
    void (*then)(Letter&) = nullptr;
    Mailbox* box = nullptr;
};

}  // namespace

TEST_SUITE_BEGIN("runtime mailbox");

TEST_CASE("H01 mail runs oldest first, once, and what is posted meanwhile waits for the next time") {
    Mailbox box;
    std::vector<int> log;
    Letter a(log, 1), b(log, 2), c(log, 3);
    a.box = b.box = &box;
    b.then = [](Letter& self) {
        self.then = nullptr;
        CHECK_FALSE(self.box->post(self));  // its own again, so it may be posted again
    };
    CHECK(box.empty());
    CHECK_FALSE(box.post(a));
    CHECK_FALSE(box.post(b));
    CHECK_FALSE(box.post(c));
    CHECK_FALSE(box.empty());
    box.run_all();
    CHECK(log == std::vector<int>{1, 2, 3});
    box.run_all();
    CHECK(log == std::vector<int>{1, 2, 3, 2});
    CHECK(box.empty());
}

TEST_CASE("H01 only a loop that sleeps is to be woken, and by one of those who post") {
    Mailbox box;
    std::vector<int> log;
    Letter a(log, 1), b(log, 2), c(log, 3);
    CHECK_FALSE(box.post(a));
    CHECK_FALSE(box.begin_sleep());  // there is mail: it must not sleep
    CHECK_FALSE(box.post(b));
    box.run_all();
    CHECK(box.begin_sleep());
    CHECK(box.post(a));
    CHECK_FALSE(box.post(b));
    box.end_sleep();
    CHECK_FALSE(box.post(c));
    box.run_all();
    CHECK(log == std::vector<int>{1, 2, 1, 2, 3});
}

TEST_CASE("mail that is dropped is told so, also what is posted while dropping") {
    Mailbox box;
    std::vector<int> log;
    Letter a(log, 1), b(log, 2);
    CHECK_FALSE(box.post(a));
    CHECK_FALSE(box.post(b));
    box.drop_all();
    CHECK(log == std::vector<int>{-1, -2});
    CHECK(box.empty());
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("runtime mailbox threads");

LARIAT_BACKEND_TEST_CASE(
    "H01 calls from many threads all arrive, each thread's in its order, whether the loop sleeps or not") {
    constexpr int threads = 4;
    constexpr int calls = 3000;
    Reactor reactor(ReactorOptions().backend(backend_kind));
    int next[threads] = {};
    int arrived = 0;
    bool in_order = true;
    std::vector<std::thread> posters;
    reactor.call_when_running([&] {
        for (int t = 0; t < threads; ++t) {
            posters.emplace_back([&, t] {
                for (int i = 0; i < calls; ++i) {
                    reactor.call_from_thread([&, t, i] {
                        in_order = in_order && next[t]++ == i;
                        if (++arrived == threads * calls) reactor.stop();
                    });
                    if (i % 64 == 0) std::this_thread::yield();
                }
            });
        }
    });
    reactor.run(false);
    for (std::thread& poster : posters) poster.join();
    CHECK(arrived == threads * calls);
    CHECK(in_order);
}

LARIAT_BACKEND_TEST_CASE("H01 R15 a call wakes a loop that has nothing else to do, every time") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    std::atomic<int> answered{0};
    std::thread asker([&] {
        for (int i = 1; i <= 500; ++i) {
            reactor.call_from_thread([&] { answered.fetch_add(1); });
            while (answered.load() < i) std::this_thread::yield();
        }
        reactor.stop();
    });
    reactor.run(false);
    asker.join();
    CHECK(answered == 500);
}

LARIAT_BACKEND_TEST_CASE("H01 calls made before run wait for it") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    std::atomic<bool> called{false};
    std::thread([&] {
        reactor.call_from_thread([&] {
            called = true;
            reactor.stop();
        });
    }).join();
    CHECK_FALSE(called);
    reactor.run(false);
    CHECK(called);
}

LARIAT_BACKEND_TEST_CASE("R03 stop may be called from any thread, also too often and too late") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    std::thread([&] { reactor.stop(); }).join();  // not running: nothing to stop by the time it arrives
    int turns = 0;
    reactor.call_later(0s, [&] { ++turns; });
    std::thread stopper;
    reactor.call_when_running([&] {
        stopper = std::thread([&] {
            reactor.stop();
            reactor.stop();
        });
    });
    reactor.run(false);
    stopper.join();
    CHECK(turns == 1);
}

LARIAT_BACKEND_TEST_CASE("R15 more wake-ups than anybody could count do no harm") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    for (int i = 0; i < 100'000; ++i) reactor.backend().wake();
    std::atomic<bool> done{false};
    std::thread waker([&] {
        while (!done) reactor.backend().wake();
    });
    int calls = 0;
    Function<void()> next;
    next = [&] {
        if (++calls == 100) {
            reactor.stop();
        } else {
            reactor.call_later(10us, [&] { next(); });
        }
    };
    next();
    reactor.run(false);
    done = true;
    waker.join();
    CHECK(calls == 100);
}

LARIAT_BACKEND_TEST_CASE("R01 reactors run side by side, each on its own thread, and call each other") {
    constexpr int rounds = 200;
    Reactor* reactors[2] = {};
    std::atomic<int> ready{0};
    std::atomic<int> hops{0};
    Function<void(int)> hop;
    hop = [&](int to) {
        reactors[to]->call_from_thread([&, to] {
            CHECK(Reactor::current() == reactors[to]);
            if (++hops < rounds) {
                hop(1 - to);
            } else {
                reactors[0]->stop();
                reactors[1]->stop();
            }
        });
    };
    std::atomic<int> ended{0};
    const auto run = [&](int index) {
        Reactor reactor(ReactorOptions().backend(backend_kind));
        reactors[index] = &reactor;
        if (++ready == 2) hop(0);
        reactor.run(false);
        // The other one may still be inside a call to this one.
        ++ended;
        while (ended < 2) std::this_thread::yield();
    };
    std::thread first(run, 0), second(run, 1);
    first.join();
    second.join();
    CHECK(hops == rounds);
}

TEST_SUITE_END();
