// SPDX-License-Identifier: MIT
// What every verb that waits must do when it is cancelled or runs out of time: one check per rule, for any verb.
#pragma once

#include <lariat/coro/as_result.hpp>
#include <lariat/coro/with_timeout.hpp>
#include <lariat/test/support/coro_world.hpp>

#include <memory>

namespace lariat::test {

/// A verb in a state in which it waits.
class Verb {
public:
    virtual ~Verb() = default;
    [[nodiscard]] virtual const char* name() const = 0;
    /// Before the first wait, and behind the last one.
    virtual Task<> prepare() { co_return; }
    virtual Task<> dispose() { co_return; }
    /// Does it. When that succeeds, doing it again waits again.
    virtual Task<> wait() = 0;
    /// Makes what it waits for happen.
    virtual void complete() = 0;
    /// What complete() sets off arrives turns later: who gives up before loses nothing, the next one gets it.
    [[nodiscard]] virtual bool travels() const { return false; }
};

using MakeVerb = std::unique_ptr<Verb> (*)();
template <class V>
std::unique_ptr<Verb> make_verb() {
    return std::make_unique<V>();
}

inline Task<std::string> done_after(Task<> task) {
    co_await std::move(task);
    co_return "done";
}

/// Whoever was refused took nothing: the next one waits, and gets what comes.
inline Task<> check_next(Verb& verb) {
    std::string outcome;
    const JoinHandle<> job = spawn(record, std::ref(outcome), done_after(verb.wait()));
    co_await settle();
    CHECK(outcome == "nothing yet");
    verb.complete();
    co_await job;
    CHECK(outcome == "done");
}

inline Task<std::string> done_in_cancelled_task(Verb& verb) {
    co_await as_result(sleep(an_hour));
    co_await verb.wait();
    co_return "done";
}
inline Task<> check_precancelled(Verb& verb) {
    std::string outcome;
    const JoinHandle<> job = spawn(record, std::ref(outcome), done_in_cancelled_task(verb));
    job.cancel();
    co_await job;
    CHECK(outcome == "Cancelled: requested");
    co_await check_next(verb);
}

inline Task<> check_cancelled_in_flight(Verb& verb) {
    std::string outcome;
    const JoinHandle<> job = spawn(record, std::ref(outcome), done_after(verb.wait()));
    co_await settle();
    CHECK(outcome == "nothing yet");
    job.cancel();
    co_await job;
    CHECK(outcome == "Cancelled: requested");
    co_await check_next(verb);
}

/// What was completed has been delivered, or is to the next one, if it travels and the first one ended with `given_up`.
inline Task<> check_done(Verb& verb, std::string& outcome, std::string given_up) {
    if (verb.travels() && outcome == given_up) co_await record(outcome, done_after(verb.wait()));
    CHECK(outcome == "done");
}

inline Task<> check_completed_then_cancelled(Verb& verb) {
    std::string outcome;
    const JoinHandle<> job = spawn(record, std::ref(outcome), done_after(verb.wait()));
    co_await settle();
    CHECK(outcome == "nothing yet");
    verb.complete();
    job.cancel();
    co_await job;
    co_await check_done(verb, outcome, "Cancelled: requested");
}

/// Calls verb.complete() when the time has come.
class CompleteAt : public Timer {
public:
    CompleteAt(Verb& verb, TimePoint time) : Timer(on_fire), verb_(verb) {
        Reactor::current()->timers().arm(*this, time);
    }

private:
    static void on_fire(Timer& timer) noexcept { static_cast<CompleteAt&>(timer).verb_.complete(); }
    Verb& verb_;
};

/// What comes in the turn in which the deadline passes is delivered; what comes after it is not.
inline Task<> check_timeout_races(Verb& verb) {
    std::string outcome;
    Reactor& reactor = *Reactor::current();
    const TimePoint first = reactor.now() + std::chrono::milliseconds(1);
    {
        const JoinHandle<> job = spawn(record, std::ref(outcome), done_after(with_deadline(first, verb.wait())));
        const CompleteAt timer(verb, first);  // armed behind the deadline's
        co_await job;
        co_await check_done(verb, outcome, "TimedOut: with_deadline() timed out");
    }
}
inline Task<> check_timeout_wins(Verb& verb) {
    std::string outcome;
    co_await record(outcome, done_after(with_timeout(std::chrono::milliseconds(1), verb.wait())));
    CHECK(outcome == "TimedOut: with_timeout() timed out after 1 ms");
    co_await check_next(verb);
}

inline Task<> leave_scope(TaskScope& scope, std::string& outcome, Verb& verb) {
    scope.spawn(record, std::ref(outcome), done_after(verb.wait()));
    co_await settle();
    scope.cancel(CancelReason::scope_exit);
}
inline Task<> check_scope_exit(Verb& verb) {
    std::string outcome;
    co_await with_scope(leave_scope, std::ref(outcome), std::ref(verb));
    CHECK(outcome == "Cancelled: scope exit");
    co_await check_next(verb);
}

inline Task<> check_prepared(Verb& verb, Task<> (*check)(Verb&)) {
    co_await verb.prepare();
    co_await check(verb);
    co_await verb.dispose();
}

/// Runs `check` on a fresh verb of each kind.
template <class Makers>
void for_each_verb(io::BackendKind kind, const Makers& makers, Task<> (*check)(Verb&)) {
    for (const MakeVerb make : makers) {
        const std::unique_ptr<Verb> verb = make();
        const std::string name = verb->name();
        CAPTURE(name);
        run_on(kind, check_prepared, std::ref(*verb), check);
    }
}

/// The cases, one per rule and backend, for an array of MakeVerb.
#define LARIAT_VERB_TEST_CASES(what, makers)                                             \
    LARIAT_BACKEND_TEST_CASE(what " in a cancelled task takes nothing") {                \
        test::for_each_verb(backend_kind, makers, test::check_precancelled);             \
    }                                                                                    \
    LARIAT_BACKEND_TEST_CASE(what " cancelled in flight takes nothing") {                \
        test::for_each_verb(backend_kind, makers, test::check_cancelled_in_flight);      \
    }                                                                                    \
    LARIAT_BACKEND_TEST_CASE(what " completed and then cancelled is delivered") {        \
        test::for_each_verb(backend_kind, makers, test::check_completed_then_cancelled); \
    }                                                                                    \
    LARIAT_BACKEND_TEST_CASE(what " completed as its deadline passes is delivered") {    \
        test::for_each_verb(backend_kind, makers, test::check_timeout_races);            \
    }                                                                                    \
    LARIAT_BACKEND_TEST_CASE(what " that times out takes nothing") {                     \
        test::for_each_verb(backend_kind, makers, test::check_timeout_wins);             \
    }                                                                                    \
    LARIAT_BACKEND_TEST_CASE(what " is interrupted when its scope ends") {               \
        test::for_each_verb(backend_kind, makers, test::check_scope_exit);               \
    }

}  // namespace lariat::test
