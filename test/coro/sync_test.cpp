// SPDX-License-Identifier: MIT
// coro/sync: order, hand-over, and what is left behind by those that give up.
#include <lariat/coro/shield.hpp>
#include <lariat/coro/sync/barrier.hpp>
#include <lariat/coro/sync/condition.hpp>
#include <lariat/coro/sync/event.hpp>
#include <lariat/coro/sync/latch.hpp>
#include <lariat/coro/sync/mutex.hpp>
#include <lariat/coro/sync/semaphore.hpp>
#include <lariat/coro/sync/shared_mutex.hpp>
#include <lariat/test/support/verbs.hpp>

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

namespace lariat {
namespace {

using test::record;
using test::run_on;
using test::settle;

using Steps = std::vector<std::string>;

Task<> holds_mutex(Mutex& mutex, Steps& steps, std::string name) {
    const auto lock = co_await mutex.scoped_lock();
    steps.push_back(name);
    co_await yield();
    steps.push_back(name);
}
Task<> mutex_order() {
    Mutex mutex;
    Steps steps;
    CHECK(mutex.try_lock());
    const JoinHandle<> a = spawn(holds_mutex, std::ref(mutex), std::ref(steps), "a");
    const JoinHandle<> b = spawn(holds_mutex, std::ref(mutex), std::ref(steps), "b");
    mutex.unlock();
    CHECK(mutex.is_locked());  // handed over, not free for whoever comes next
    CHECK_FALSE(mutex.try_lock());
    CHECK(steps.empty());  // goes on from the loop
    co_await holds_mutex(mutex, steps, "c");
    CHECK(steps == Steps{"a", "a", "b", "b", "c", "c"});
    CHECK_FALSE(mutex.is_locked());
    CHECK(a.is_done());
    CHECK(b.is_done());
}
LARIAT_BACKEND_TEST_CASE("a Mutex is handed over in the order of the requests") { run_on(backend_kind, mutex_order); }

Task<> reads(SharedMutex& mutex, Steps& steps, std::string name) {
    const auto lock = co_await mutex.scoped_lock_shared();
    steps.push_back(name);
    co_await yield();
    steps.push_back(name);
}
Task<> writes(SharedMutex& mutex, Steps& steps, std::string name) {
    const auto lock = co_await mutex.scoped_lock();
    steps.push_back(name);
    co_await yield();
    steps.push_back(name);
}
Task<> shared_mutex_order() {
    SharedMutex mutex;
    Steps steps;
    co_await mutex.lock_shared();
    CHECK(mutex.try_lock_shared());
    CHECK_FALSE(mutex.try_lock());
    const JoinHandle<> w = spawn(writes, std::ref(mutex), std::ref(steps), "w");
    CHECK_FALSE(mutex.try_lock_shared());  // behind the writer
    const JoinHandle<> r1 = spawn(reads, std::ref(mutex), std::ref(steps), "r1");
    const JoinHandle<> r2 = spawn(reads, std::ref(mutex), std::ref(steps), "r2");
    const JoinHandle<> last = spawn(writes, std::ref(mutex), std::ref(steps), "x");
    mutex.unlock_shared();
    co_await settle();
    CHECK(steps.empty());
    mutex.unlock_shared();
    co_await last;
    CHECK(steps == Steps{"w", "w", "r1", "r2", "r1", "r2", "x", "x"});
    CHECK(mutex.try_lock());
    CHECK_FALSE(mutex.try_lock_shared());
}
LARIAT_BACKEND_TEST_CASE("a SharedMutex serves readers together and writers alone, first come first served") {
    run_on(backend_kind, shared_mutex_order);
}

Task<> writer_gives_up() {
    SharedMutex mutex;
    Steps steps;
    co_await mutex.lock_shared();
    const JoinHandle<> w = spawn(writes, std::ref(mutex), std::ref(steps), "w");
    const JoinHandle<> r = spawn(reads, std::ref(mutex), std::ref(steps), "r");
    w.cancel();
    co_await r;
    CHECK(steps == Steps{"r", "r"});
    mutex.unlock_shared();
    CHECK(mutex.try_lock());
}
LARIAT_BACKEND_TEST_CASE("readers behind a writer that gives up go on") { run_on(backend_kind, writer_gives_up); }

Task<> takes(Semaphore& semaphore, std::size_t count, Steps& steps, std::string name) {
    SemaphorePermit permit = co_await semaphore.scoped_acquire(count);
    steps.push_back(name);
    co_await yield();
    SemaphorePermit moved = std::move(permit);
    moved.release();
}
Task<> semaphore_order() {
    Semaphore semaphore(2);
    Steps steps;
    CHECK(semaphore.try_acquire());
    const JoinHandle<> many = spawn(takes, std::ref(semaphore), 2, std::ref(steps), "two");
    const JoinHandle<> one = spawn(takes, std::ref(semaphore), 1, std::ref(steps), "one");
    co_await settle();
    CHECK(steps.empty());  // one permit is free, but "two" was first
    CHECK_FALSE(semaphore.try_acquire());
    semaphore.release();
    co_await one;
    CHECK(steps == Steps{"two", "one"});
    CHECK(semaphore.available() == 2);
    const JoinHandle<> huge = spawn(takes, std::ref(semaphore), 3, std::ref(steps), "three");
    const JoinHandle<> next = spawn(takes, std::ref(semaphore), 2, std::ref(steps), "next");
    huge.cancel();
    co_await next;
    CHECK(steps == Steps{"two", "one", "next"});
    CHECK(semaphore.available() == 2);
}
LARIAT_BACKEND_TEST_CASE("a Semaphore serves in order, and the next when one gives up") {
    run_on(backend_kind, semaphore_order);
}

Task<> passes(Event& event, int& count) {
    co_await event.wait();
    ++count;
}
Task<> takes_event(AutoResetEvent& event, Steps& steps, std::string name) {
    co_await event.wait();
    steps.push_back(name);
}
Task<> events() {
    Event event;
    int count = 0;
    for (int i = 0; i < 3; ++i) spawn(passes, std::ref(event), std::ref(count));
    event.set();
    event.reset();  // those released go on all the same
    CHECK(count == 0);
    co_await settle();
    CHECK(count == 3);
    CHECK_FALSE(event.is_set());
    event.set();
    co_await passes(event, count);
    co_await passes(event, count);
    CHECK(count == 5);

    AutoResetEvent one;
    Steps steps;
    for (const char* name : {"a", "b"}) spawn(takes_event, std::ref(one), std::ref(steps), name);
    one.set();
    CHECK_FALSE(one.is_set());
    co_await settle();
    CHECK(steps == Steps{"a"});
    one.set();
    one.set();
    CHECK(one.is_set());
    co_await takes_event(one, steps, "c");
    co_await settle();
    CHECK(steps == Steps{"a", "c", "b"});
    CHECK_FALSE(one.is_set());
}
LARIAT_BACKEND_TEST_CASE("an Event releases all, an AutoResetEvent one") { run_on(backend_kind, events); }

Task<> consumes(Mutex& mutex, Condition& changed, int& items, Steps& steps, std::string name) {
    const auto lock = co_await mutex.scoped_lock();
    co_await changed.wait(mutex, [&items] { return items > 0; });
    CHECK(mutex.is_locked());
    --items;
    steps.push_back(name);
}
Task<> conditions() {
    Mutex mutex;
    Condition changed;
    int items = 0;
    Steps steps;
    for (const char* name : {"a", "b", "c"})
        spawn(consumes, std::ref(mutex), std::ref(changed), std::ref(items), std::ref(steps), name);
    changed.notify_all();  // for nothing
    co_await settle();
    CHECK(steps.empty());
    CHECK_FALSE(mutex.is_locked());
    items = 1;
    changed.notify_one();
    co_await settle();
    CHECK(steps.size() == 1);
    items = 2;
    changed.notify_all();
    co_await settle();
    CHECK(steps.size() == 3);
    changed.notify_one();
}
LARIAT_BACKEND_TEST_CASE("a Condition wakes those that wait, with the mutex held") { run_on(backend_kind, conditions); }

Task<std::string> waits_cancelled(Mutex& mutex, Condition& changed, bool& held) {
    const auto lock = co_await mutex.scoped_lock();
    const Outcome<> outcome = co_await as_result(changed.wait(mutex));
    held = mutex.is_locked() && lock.owns_lock();
    outcome.failure().raise();
}
Task<> condition_cancelled() {
    Mutex mutex;
    Condition changed;
    bool held = false;
    std::string outcome;
    const JoinHandle<> job = spawn(record, std::ref(outcome), waits_cancelled(mutex, changed, held));
    co_await mutex.lock();
    job.cancel();
    co_await settle();
    CHECK(outcome == "nothing yet");  // it has to lock first
    mutex.unlock();
    co_await job;
    CHECK(outcome == "Cancelled: requested");
    CHECK(held);
    CHECK_FALSE(mutex.is_locked());
}
LARIAT_BACKEND_TEST_CASE("a wait for a Condition that is cancelled holds the mutex when it throws") {
    run_on(backend_kind, condition_cancelled);
}

Task<> arrives(Latch& latch, int& count) {
    co_await latch.arrive_and_wait();
    ++count;
}
Task<> meets(Barrier& barrier, Steps& steps, std::string name) {
    for (int round = 0; round < 2; ++round) {
        const bool last = co_await barrier.arrive_and_wait();
        steps.push_back(last ? name + " last" : name);
    }
}
Task<> meetings() {
    Latch latch(3);
    int count = 0;
    spawn(arrives, std::ref(latch), std::ref(count));
    spawn(arrives, std::ref(latch), std::ref(count));
    co_await settle();
    CHECK(count == 0);
    CHECK(latch.count() == 1);
    latch.count_down();
    co_await latch.wait();
    co_await settle();
    CHECK(count == 2);

    Barrier barrier(3);
    Steps steps;
    const JoinHandle<> a = spawn(meets, std::ref(barrier), std::ref(steps), "a");
    const JoinHandle<> b = spawn(meets, std::ref(barrier), std::ref(steps), "b");
    co_await settle();
    CHECK(steps.empty());
    CHECK(barrier.arrived() == 2);
    co_await meets(barrier, steps, "c");
    co_await a;
    co_await b;
    CHECK(steps.size() == 6);
    CHECK(steps[0] == "c last");
    CHECK(barrier.arrived() == 0);
}
LARIAT_BACKEND_TEST_CASE("a Latch opens once, a Barrier round after round") { run_on(backend_kind, meetings); }

// The verbs, each in a state in which it waits.
class LockVerb final : public test::Verb {
    const char* name() const override { return "Mutex::lock"; }
    Task<> wait() override { co_await mutex_.lock(); }
    void complete() override { mutex_.unlock(); }
    struct Held : Mutex {
        Held() { CHECK(try_lock()); }
    } mutex_;
};
class ScopedLockVerb final : public test::Verb {
    const char* name() const override { return "Mutex::scoped_lock"; }
    Task<> wait() override { (co_await mutex_.scoped_lock()).release(); }
    void complete() override { mutex_.unlock(); }
    struct Held : Mutex {
        Held() { CHECK(try_lock()); }
    } mutex_;
};
class WriteLockVerb final : public test::Verb {
    const char* name() const override { return "SharedMutex::lock"; }
    Task<> wait() override { co_await mutex_.lock(); }
    void complete() override { mutex_.unlock(); }
    struct Held : SharedMutex {
        Held() { CHECK(try_lock()); }
    } mutex_;
};
class ReadLockVerb final : public test::Verb {
    const char* name() const override { return "SharedMutex::lock_shared"; }
    Task<> wait() override {
        co_await mutex_.lock_shared();
        mutex_.unlock_shared();
        CHECK(mutex_.try_lock());
    }
    void complete() override { mutex_.unlock(); }
    struct Held : SharedMutex {
        Held() { CHECK(try_lock()); }
    } mutex_;
};
class AcquireVerb final : public test::Verb {
    const char* name() const override { return "Semaphore::acquire"; }
    Task<> wait() override { co_await semaphore_.acquire(2); }
    void complete() override { semaphore_.release(2); }
    Semaphore semaphore_{1};
};
class EventVerb final : public test::Verb {
    const char* name() const override { return "Event::wait"; }
    Task<> wait() override {
        co_await event_.wait();
        event_.reset();
    }
    void complete() override { event_.set(); }
    Event event_;
};
class AutoResetVerb final : public test::Verb {
    const char* name() const override { return "AutoResetEvent::wait"; }
    Task<> wait() override { co_await event_.wait(); }
    void complete() override { event_.set(); }
    AutoResetEvent event_;
};
class ConditionVerb final : public test::Verb {
    const char* name() const override { return "Condition::wait"; }
    Task<> wait() override {
        const auto lock = co_await mutex_.scoped_lock();
        co_await condition_.wait(mutex_);
    }
    void complete() override { condition_.notify_one(); }
    Mutex mutex_;
    Condition condition_;
};
class LatchVerb final : public test::Verb {
    const char* name() const override { return "Latch::wait"; }
    Task<> wait() override { co_await latch_.wait(); }
    void complete() override { latch_.count_down(); }
    Latch latch_{1};
};
class BarrierVerb final : public test::Verb {
    const char* name() const override { return "Barrier::arrive_and_wait"; }
    static Task<> arrive(Barrier& barrier) { co_await barrier.arrive_and_wait(); }
    Task<> wait() override { co_await barrier_.arrive_and_wait(); }
    void complete() override { spawn(arrive, std::ref(barrier_)); }
    Barrier barrier_{2};
};
constexpr test::MakeVerb sync_verbs[] = {test::make_verb<LockVerb>,      test::make_verb<ScopedLockVerb>,
                                         test::make_verb<WriteLockVerb>, test::make_verb<ReadLockVerb>,
                                         test::make_verb<AcquireVerb>,   test::make_verb<EventVerb>,
                                         test::make_verb<AutoResetVerb>, test::make_verb<ConditionVerb>,
                                         test::make_verb<LatchVerb>,     test::make_verb<BarrierVerb>};
LARIAT_VERB_TEST_CASES("a synchronisation verb", sync_verbs)

}  // namespace
}  // namespace lariat
