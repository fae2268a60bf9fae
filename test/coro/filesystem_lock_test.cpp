// SPDX-License-Identifier: MIT
// Locks between processes, on links in a directory of the test's own.
#include <lariat/coro/filesystem_lock.hpp>

#include <lariat/io/base/log.hpp>
#include <lariat/test/support/temporary_directory.hpp>
#include <lariat/test/support/transcript.hpp>
#include <lariat/testing/clock.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace lariat {
namespace {

using test::short_type;
using testing::Clock;
using Lock = DeferredFilesystemLock<Clock>;

class LockDirectory {
public:
    [[nodiscard]] std::string name() const { return directory_.path_of("lock"); }
    [[nodiscard]] std::string target() const { return std::filesystem::read_symlink(name()).string(); }
    void hold(const std::string& target) const { std::filesystem::create_symlink(target, name()); }
    void release() const { std::filesystem::remove(name()); }

private:
    test::TemporaryDirectory directory_;
};

/// The number of a process that has ended.
pid_t gone() {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    REQUIRE(::waitpid(child, nullptr, 0) == child);
    return child;
}

/// "waiting", "locked", or the class of the failure.
std::string& watch(const Deferred<>& d, std::string& state) {
    state = "waiting";
    d.add_callbacks([&] { state = "locked"; }, [&](const Failure& f) { state = short_type(f); });
    return state;
}

TEST_CASE("D24 a lock is a link to the number of its process, held until it is unlocked") {
    const LockDirectory directory;
    FilesystemLock lock(directory.name()), other(directory.name());
    CHECK_FALSE(is_locked(directory.name()));
    CHECK(lock.lock());
    CHECK(lock.locked());
    CHECK(lock.clean());
    CHECK(directory.target() == std::to_string(::getpid()));
    CHECK(is_locked(directory.name()));
    CHECK_FALSE(other.lock());
    lock.unlock();
    CHECK_FALSE(lock.locked());
    CHECK(other.lock());
    other.unlock();
    CHECK_THROWS_AS(other.unlock(), Error);
}

TEST_CASE("D24 the lock of a process that died is taken over, and is not clean") {
    const LockDirectory directory;
    directory.hold(std::to_string(gone()));
    FilesystemLock lock(directory.name());
    CHECK(lock.lock());
    CHECK_FALSE(lock.clean());
    lock.unlock();
    CHECK(lock.lock());
    CHECK(lock.clean());
}

TEST_CASE("D24 the lock of another process cannot be unlocked; what is no lock is an error") {
    const LockDirectory directory;
    directory.hold("1");
    FilesystemLock lock(directory.name());
    CHECK_FALSE(lock.lock());
    CHECK_THROWS_AS(lock.unlock(), UsageError);
    CHECK(directory.target() == "1");
    for (const char* target : {"0", "-1", "a file", "12 monkeys"}) {
        directory.release();
        directory.hold(target);
        CHECK_THROWS_AS(lock.lock(), Error);
    }
    FilesystemLock nowhere(directory.name() + "/is no directory");
    CHECK_THROWS_AS(nowhere.lock(), Error);
}

TEST_CASE("D24 defer_until_locked fires at once when it is free, otherwise with the first attempt that finds it so") {
    const LockDirectory directory;
    Clock clock;
    Lock lock(directory.name(), clock);
    CHECK(lock.defer_until_locked(5s).called());
    CHECK(clock.delayed_calls().empty());
    lock.unlock();
    directory.hold("1");
    std::string state;
    watch(lock.defer_until_locked(), state);
    clock.advance(1s);
    CHECK(state == "waiting");
    directory.release();
    clock.advance(999ms);
    CHECK(state == "waiting");
    clock.advance(1ms);
    CHECK(state == "locked");
    CHECK(clock.delayed_calls().empty());
    lock.unlock();
}

TEST_CASE("D24 defer_until_locked times out, after a last attempt") {
    const LockDirectory directory;
    Clock clock;
    Lock lock(directory.name(), clock);
    directory.hold("1");
    std::string state;
    watch(lock.defer_until_locked(5500ms), state);
    for (int i = 0; i < 11; ++i) {
        CHECK(state == "waiting");
        clock.advance(500ms);
    }
    CHECK(state == "TimedOut");
    CHECK(clock.delayed_calls().empty());
    CHECK_FALSE(lock.locked());
    watch(lock.defer_until_locked(500ms), state);
    directory.release();
    clock.advance(500ms);
    CHECK(state == "locked");
    CHECK(clock.delayed_calls().empty());
}

TEST_CASE("D24 one wait at a time") {
    const LockDirectory directory;
    CapturedLogs logs;
    Clock clock;
    Lock lock(directory.name(), clock);
    directory.hold("1");
    std::string first, second;
    watch(lock.defer_until_locked(), first);
    watch(lock.defer_until_locked(), second);
    CHECK(first == "waiting");
    CHECK(second == "AlreadyTryingToLockError");
    directory.release();
    clock.advance(1s);
    CHECK(first == "locked");
    CHECK(logs.events().empty());
}

TEST_CASE("D24 cancelling makes a last attempt") {
    const LockDirectory directory;
    Clock clock;
    Lock lock(directory.name(), clock);
    directory.hold("1");
    std::string state;
    auto held = lock.defer_until_locked(5s);
    watch(held, state);
    held.cancel();
    CHECK(state == "Cancelled");
    CHECK(clock.delayed_calls().empty());
    auto freed = lock.defer_until_locked(5s);
    watch(freed, state);
    directory.release();
    freed.cancel();
    CHECK(state == "locked");
    CHECK(clock.delayed_calls().empty());
}

TEST_CASE("D24 an error of the file system fails the wait; a lock that is destroyed abandons it") {
    const LockDirectory directory;
    Clock clock;
    std::string state;
    {
        Lock lock(directory.name(), clock);
        directory.hold("1");
        watch(lock.defer_until_locked(5s), state);
        directory.release();
        directory.hold("no number");
        clock.advance(1s);
        CHECK(state == "Error");
        directory.release();
        directory.hold("1");
        auto waiting = lock.defer_until_locked(5s);
        watch(std::move(waiting), state);
    }
    CHECK(clock.delayed_calls().empty());
    CHECK(state == "waiting");  // nobody waits but callbacks: they go with the Deferred
    auto lock = std::make_unique<Lock>(directory.name(), clock);
    auto waiting = lock->defer_until_locked(5s);
    watch(waiting, state);
    lock.reset();
    CHECK(state == "AbandonedError");
    CHECK(clock.delayed_calls().empty());
}

}  // namespace
}  // namespace lariat
