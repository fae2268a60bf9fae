// SPDX-License-Identifier: MIT
// FilesystemLock and DeferredFilesystemLock: exclusion between processes, by a symbolic link. Programs that use
// Twisted's locks of the same path exclude each other with these.
//
// Threads: the reactor's.
#pragma once

#include <lariat/coro/deferred.hpp>
#include <lariat/io/base/clock.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/runtime/reactor.hpp>

#include <chrono>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>

namespace lariat {

/// defer_until_locked() while an earlier one still waits.
class AlreadyTryingToLockError : public Error {
public:
    AlreadyTryingToLockError() : Error("defer_until_locked() of this lock is waiting already") {}
};

/// A lock that the process holds until unlock(); a process that ends without leaves it to be taken over. Destroying
/// the object does not unlock. Within a process it excludes too, but anybody may unlock.
class FilesystemLock {
public:
    explicit FilesystemLock(std::string name) : name_(std::move(name)) {}
    FilesystemLock(const FilesystemLock&) = delete;
    FilesystemLock& operator=(const FilesystemLock&) = delete;

    /// Takes it if it is free; false when somebody holds it. Errors: Error when the link cannot be made.
    bool lock();
    /// Errors: UsageError when the process does not hold it, Error when there is no link or it cannot be removed.
    void unlock();

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    /// This object holds it.
    [[nodiscard]] bool locked() const noexcept { return locked_; }
    /// After lock(): the holder before gave it back, it did not die with it.
    [[nodiscard]] bool clean() const noexcept { return clean_; }

private:
    std::string name_;
    bool locked_ = false;
    bool clean_ = true;
};

/// True when a process that lives holds the lock of that name.
[[nodiscard]] bool is_locked(std::string name);

/// A FilesystemLock to wait for. `Clock` is a Reactor, or a test's clock, see Deferred::add_timeout. A wait
/// fails with AbandonedError when it is destroyed.
template <class Clock = Reactor>
class DeferredFilesystemLock : public FilesystemLock {
public:
    DeferredFilesystemLock(std::string name, Clock& scheduler)
        : FilesystemLock(std::move(name)), scheduler_(scheduler) {}
    ~DeferredFilesystemLock() {
        if (waiting_) detail::abandon(finish());
    }

    /// How long it waits between two attempts.
    static constexpr Duration interval = std::chrono::seconds(1);

    /// Fires once it is locked: at once when it is free, else when one of the attempts finds it free.
    ///
    /// Cancellation: makes one last attempt, and fails with Cancelled when that finds it held. Errors: TimedOut after
    /// `timeout` and a last attempt, AlreadyTryingToLockError, Error when the link cannot be made.
    [[nodiscard]] Deferred<> defer_until_locked(std::optional<Duration> timeout = std::nullopt,
                                                const std::source_location& where = std::source_location::current()) {
        if (waiting_) return fail(AlreadyTryingToLockError(), where);
        Deferred<> result([this] { give_up(Failure()); }, where);
        waiting_ = result;
        attempt();
        if (waiting_ && timeout) {
            timeout_.emplace(scheduler_.call_later(
                *timeout, [this, limit = *timeout] { give_up(TimedOut(limit, "acquiring lock " + name())); }));
        }
        return result;
    }

private:
    using Timer = decltype(std::declval<Clock&>().call_later(Duration(), [] {}));

    void attempt() {
        try {
            if (lock()) {
                finish().callback();
            } else {
                retry_.emplace(scheduler_.call_later(interval, [this] { attempt(); }));
            }
        } catch (...) {
            finish().errback();
        }
    }
    /// An empty reason leaves it to the Deferred: it is being cancelled.
    void give_up(const Failure& reason) {
        const Deferred<> waiting = finish();
        try {
            if (lock()) {
                waiting.callback();
            } else if (reason) {
                waiting.errback(reason);
            }
        } catch (...) {
            waiting.errback();
        }
    }
    Deferred<> finish() {
        stop_timers();
        return *std::exchange(waiting_, std::nullopt);
    }
    void stop_timers() {
        for (std::optional<Timer>* timer : {&retry_, &timeout_}) {
            if (*timer && (*timer)->active()) (*timer)->cancel();
            timer->reset();
        }
    }

    Clock& scheduler_;
    std::optional<Deferred<>> waiting_;
    std::optional<Timer> retry_;
    std::optional<Timer> timeout_;
};

}  // namespace lariat
