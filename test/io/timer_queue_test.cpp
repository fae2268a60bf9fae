// SPDX-License-Identifier: MIT
#include <lariat/io/base/timer_queue.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

using namespace lariat;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint start{1000s};

/// A timer that writes its name down when it fires, and may then do something.
struct Named : Timer {
    Named(std::vector<int>& log_, int name_) : Timer(&fired), log(log_), name(name_) {}
    static void fired(Timer& timer) noexcept {
        auto& self = static_cast<Named&>(timer);
        self.log.push_back(self.name);
        if (self.then) self.then(self);
    }
    std::vector<int>& log;
    int name;
    void (*then)(Named&) = nullptr;
    TimerQueue* queue = nullptr;
    Named* other = nullptr;
};

}  // namespace

TEST_SUITE_BEGIN("runtime timer queue");

TEST_CASE("T03 timers fire in the order of their deadlines, and of arming among equal ones") {
    TimerQueue queue;
    std::vector<int> log;
    Named late(log, 3), first(log, 1), second(log, 2), future(log, 4);
    queue.arm(late, start + 2ns);
    queue.arm(first, start + 1ns);
    queue.arm(second, start + 1ns);
    queue.arm(future, start + 3ns);
    CHECK(queue.next_deadline() == start + 1ns);
    CHECK(queue.expire(start + 2ns) == 3);
    CHECK(log == std::vector<int>{1, 2, 3});
    CHECK(queue.size() == 1);
    CHECK(queue.next_deadline() == start + 3ns);
    CHECK_FALSE(late.is_armed());
    CHECK(future.is_armed());
}

TEST_CASE("T03 arming again moves a timer behind those that have the same deadline already") {
    TimerQueue queue;
    std::vector<int> log;
    Named a(log, 1), b(log, 2);
    queue.arm(a, start);
    queue.arm(b, start);
    queue.arm(a, start);
    CHECK(queue.size() == 2);
    queue.expire(start);
    CHECK(log == std::vector<int>{2, 1});
}

TEST_CASE("T02 what a firing timer arms waits for the next call, even with a deadline that has passed") {
    TimerQueue queue;
    std::vector<int> log;
    Named a(log, 1), b(log, 2), c(log, 3);
    a.queue = &queue;
    a.other = &c;
    a.then = [](Named& self) { self.queue->arm(*self.other, start - 5s); };
    queue.arm(a, start);
    queue.arm(b, start + 1ns);
    CHECK(queue.expire(start + 1ns) == 2);
    CHECK(log == std::vector<int>{1, 2});
    CHECK(c.deadline() == start - 5s);
    CHECK(queue.next_deadline() <= start + 1ns);
    CHECK(queue.expire(start + 1ns) == 1);
    CHECK(log == std::vector<int>{1, 2, 3});
}

TEST_CASE("a timer that arms itself fires once per call") {
    TimerQueue queue;
    std::vector<int> log;
    Named a(log, 1);
    a.queue = &queue;
    a.then = [](Named& self) { self.queue->arm(self, start); };
    queue.arm(a, start);
    CHECK(queue.expire(start) == 1);
    CHECK(queue.expire(start) == 1);
    CHECK(a.is_armed());
}

TEST_CASE("a timer disarmed by one that fires before it does not fire") {
    TimerQueue queue;
    std::vector<int> log;
    Named a(log, 1), b(log, 2);
    a.other = &b;
    a.then = [](Named& self) { self.other->disarm(); };
    queue.arm(a, start);
    queue.arm(b, start);
    CHECK(queue.expire(start) == 1);
    CHECK(log == std::vector<int>{1});
}

TEST_CASE("destroying a timer disarms it, destroying the queue disarms what is left") {
    std::vector<int> log;
    Named survivor(log, 1);
    {
        TimerQueue queue;
        {
            Named dead(log, 2);
            queue.arm(dead, start);
        }
        CHECK(queue.empty());
        CHECK(queue.next_deadline() == never);
        queue.arm(survivor, start);
    }
    CHECK_FALSE(survivor.is_armed());
    survivor.disarm();
}

TEST_CASE("T07 the heap agrees with a sorted list through many random moves, and cancelled timers leave at once") {
    std::uint32_t seed = 12345;
    const auto random = [&seed](std::uint32_t below) {
        return (seed = seed * 1664525u + 1013904223u) % 65521u % below;
    };

    TimerQueue queue;
    std::vector<int> log;
    std::vector<std::unique_ptr<Named>> timers;
    for (int i = 0; i < 300; ++i) timers.push_back(std::make_unique<Named>(log, i));
    struct Expected {
        TimePoint deadline;
        int order;
        int name;
    };
    std::vector<Expected> expected;
    const auto forget = [&](int name) {
        std::erase_if(expected, [name](const Expected& e) { return e.name == name; });
    };
    TimePoint now = start;
    for (int step = 0; step < 20'000; ++step) {
        const int name = static_cast<int>(random(300));
        Named& timer = *timers[static_cast<std::size_t>(name)];
        const std::uint32_t what = random(10);
        if (what < 6) {
            forget(name);
            expected.push_back({now + Duration(random(200)), step, name});
            queue.arm(timer, expected.back().deadline);
        } else if (what < 8) {
            forget(name);
            timer.disarm();
        } else {
            now += Duration(random(50));
            std::sort(expected.begin(), expected.end(), [](const Expected& a, const Expected& b) {
                return a.deadline != b.deadline ? a.deadline < b.deadline : a.order < b.order;
            });
            std::vector<int> due;
            while (!expected.empty() && expected.front().deadline <= now) {
                due.push_back(expected.front().name);
                expected.erase(expected.begin());
            }
            log.clear();
            queue.expire(now);
            REQUIRE(log == due);
        }
        REQUIRE(queue.size() == expected.size());
    }
}

TEST_SUITE_END();
