// SPDX-License-Identifier: MIT
#include <lariat/runtime/system_events.hpp>

#include <lariat/io/base/error.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/test/support/fake_deferred.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

using namespace lariat;
using namespace lariat::test;

namespace {

/// Triggers that write letters.
struct Log {
    SystemEvents::Function letter(char c) {
        return SystemEvents::adapt([this, c] { text += c; });
    }
    std::string text;
};

}  // namespace

TEST_SUITE_BEGIN("runtime system events");

TEST_CASE("R08 phases run in order, triggers of one phase in the order they were added") {
    SystemEvents events;
    Log log;
    events.add(Phase::after, "e", log.letter('e'));
    events.add(Phase::during, "e", log.letter('c'));
    events.add(Phase::before, "e", log.letter('a'));
    events.add(Phase::before, "e", log.letter('b'));
    events.add(Phase::during, "e", log.letter('d'));
    events.add(Phase::before, "other", log.letter('x'));
    events.fire("e");
    CHECK(log.text == "abcde");
    events.fire("nobody listens");
    events.fire("other");
    CHECK(log.text == "abcdex");
}

TEST_CASE("R09 the phases behind wait until everything the before-triggers returned has fired") {
    SystemEvents events;
    Log log;
    FakeDeferred first, second;
    events.add(Phase::before, "e", SystemEvents::adapt([&] { return first; }));
    events.add(Phase::before, "e", SystemEvents::adapt([&] { return second; }));
    events.add(Phase::before, "e", log.letter('a'));
    events.add(Phase::during, "e", log.letter('b'));
    events.add(Phase::after, "e", log.letter('c'));
    events.fire("e");
    CHECK(log.text == "a");
    second.fire();
    CHECK(log.text == "a");
    first.fire();
    CHECK(log.text == "abc");
}

TEST_CASE("R09 a failure counts like a success, and is logged because nobody else sees it") {
    CapturedLogs logs;
    SystemEvents events;
    Log log;
    FakeDeferred later;
    events.add(Phase::before, "e", SystemEvents::adapt([&] { return later; }));
    events.add(Phase::during, "e", log.letter('b'));
    events.fire("e");
    CHECK(log.text.empty());
    later.fail(UsageError("could not say goodbye"));
    CHECK(log.text == "b");
    CHECK(logs.count("could not say goodbye") == 1);
}

TEST_CASE("R09 one that dies unfired holds nothing up") {
    SystemEvents events;
    Log log;
    std::optional<FakeDeferred> later(std::in_place);
    events.add(Phase::before, "e", SystemEvents::adapt([&] { return *later; }));
    events.add(Phase::during, "e", log.letter('b'));
    events.fire("e");
    CHECK(log.text.empty());
    later.reset();
    CHECK(log.text == "b");
}

TEST_CASE("R09 what during- and after-triggers return is not waited for") {
    SystemEvents events;
    Log log;
    FakeDeferred later;
    events.add(Phase::during, "e", SystemEvents::adapt([&] { return later; }));
    events.add(Phase::during, "e", log.letter('a'));
    events.add(Phase::after, "e", SystemEvents::adapt([&] { return later; }));
    events.add(Phase::after, "e", log.letter('b'));
    events.fire("e");
    CHECK(log.text == "ab");
    CHECK_FALSE(later.has_callback());
}

TEST_CASE("R09 a Hold delays by itself, moves, and is let go once") {
    SystemEvents events;
    Log log;
    SystemEvents::Hold held;
    events.add(Phase::before, "e", [&](SystemEvents::Hold hold) { held = std::move(hold); });
    events.add(Phase::during, "e", log.letter('b'));
    events.fire("e");
    CHECK(held);
    CHECK(log.text.empty());
    SystemEvents::Hold moved = std::move(held);
    CHECK_FALSE(held);
    held.release();
    CHECK(log.text.empty());
    moved.release();
    moved.release();
    CHECK(log.text == "b");
}

TEST_CASE("R10 what a trigger throws is logged and the others still run, whatever the phase") {
    CapturedLogs logs;
    for (Phase phase : {Phase::before, Phase::during, Phase::after}) {
        logs.clear();
        SystemEvents events;
        Log log;
        events.add(phase, "e", SystemEvents::adapt([] { throw UsageError("a trigger failed"); }));
        events.add(phase, "e", log.letter('a'));
        events.add(Phase::after, "e", log.letter('b'));
        events.fire("e");
        CHECK(log.text == "ab");
        CHECK(logs.count("a trigger failed") == 1);
    }
}

TEST_CASE("R10 triggers run once, and those added by a trigger of a phase that is not over run too") {
    SystemEvents events;
    Log log;
    events.add(Phase::during, "e", SystemEvents::adapt([&] {
                   log.text += 'a';
                   events.add(Phase::during, "e", log.letter('b'));
                   events.add(Phase::before, "e", log.letter('c'));
               }));
    events.fire("e");
    CHECK(log.text == "ab");
    events.fire("e");
    CHECK(log.text == "abc");
}

TEST_CASE("R11 a removed trigger does not run, and cannot be removed again") {
    SystemEvents events;
    Log log;
    const auto removed = events.add(Phase::before, "e", log.letter('x'));
    const auto kept = events.add(Phase::before, "e", log.letter('a'));
    events.remove(removed);
    CHECK_THROWS_AS(events.remove(removed), UsageError);
    CHECK_THROWS_AS(events.remove(SystemEvents::Trigger()), UsageError);
    events.fire("e");
    CHECK(log.text == "a");
    CHECK_THROWS_AS(events.remove(kept), UsageError);
}

TEST_CASE("R11 a trigger may remove those that have not run, of its own phase and of later ones") {
    SystemEvents events;
    Log log;
    SystemEvents::Trigger same, later;
    events.add(Phase::before, "e", SystemEvents::adapt([&] {
                   events.remove(same);
                   events.remove(later);
               }));
    same = events.add(Phase::before, "e", log.letter('x'));
    later = events.add(Phase::after, "e", log.letter('y'));
    events.add(Phase::after, "e", log.letter('a'));
    events.fire("e");
    CHECK(log.text == "a");
}

TEST_CASE("R11 removing a before-trigger that ran in the phase going on is only logged") {
    CapturedLogs logs;
    SystemEvents events;
    Log log;
    const auto ran = events.add(Phase::before, "e", log.letter('a'));
    events.add(Phase::before, "e", SystemEvents::adapt([&] { events.remove(ran); }));
    events.fire("e");
    CHECK(log.text == "a");
    REQUIRE(logs.events().size() == 1);
    CHECK(logs.events().front().level == LogLevel::warn);
    CHECK_THROWS_AS(events.remove(ran), UsageError);
}

TEST_CASE("a Hold may outlive the events, and triggers that never ran are destroyed") {
    const auto captured = std::make_shared<int>(0);
    SystemEvents::Hold held;
    bool ran = false;
    {
        SystemEvents events;
        events.add(Phase::before, "e", [&](SystemEvents::Hold hold) { held = std::move(hold); });
        events.add(Phase::after, "e", SystemEvents::adapt([&ran, captured] { ran = true; }));
        events.fire("e");
    }
    CHECK(captured.use_count() == 1);
    held.release();
    CHECK_FALSE(ran);
}

TEST_SUITE_END();
