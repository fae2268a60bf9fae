// SPDX-License-Identifier: MIT
// Mutex: one coroutine at a time, across its awaits. unlock() hands over to the one that has waited longest, so nobody
// overtakes.
//
// Lifetime: must outlive those that wait for it. Threads: the reactor's.
#pragma once

#include <lariat/coro/sync/wait_queue.hpp>
#include <lariat/io/base/assert.hpp>

#include <mutex>

namespace lariat {

class Mutex;

namespace detail {

class LockMutex final : public QueuedOperation<LockMutex> {
public:
    explicit LockMutex(Mutex& mutex) noexcept : mutex_(mutex) {}
    void await_resume() const { check(); }

private:
    friend Operation<LockMutex, QueuedWait>;

    bool begin() noexcept;
    const char* verb() const noexcept override { return "lock"; }

    Mutex& mutex_;
};

class ScopedLockMutex final : public QueuedOperation<ScopedLockMutex> {
public:
    explicit ScopedLockMutex(Mutex& mutex) noexcept : mutex_(mutex) {}
    std::unique_lock<Mutex> await_resume() const {
        check();
        return {mutex_, std::adopt_lock};
    }

private:
    friend Operation<ScopedLockMutex, QueuedWait>;

    bool begin() noexcept;
    const char* verb() const noexcept override { return "lock"; }

    Mutex& mutex_;
};

}  // namespace detail

class Mutex {
public:
    Mutex() noexcept : waiting_("a Mutex") {}

    /// Waits until it is the caller's, who must call unlock().
    ///
    /// Cancellation: the lock that was handed over first is delivered; otherwise nothing was taken.
    [[nodiscard]] detail::LockMutex lock() noexcept { return detail::LockMutex(*this); }
    /// The same with an owner that unlocks: `const auto lock = co_await mutex.scoped_lock();`. Without a name for it
    /// the lock is gone at once.
    [[nodiscard]] detail::ScopedLockMutex scoped_lock() noexcept { return detail::ScopedLockMutex(*this); }
    /// False while somebody holds it.
    [[nodiscard]] bool try_lock() noexcept {
        if (locked_) return false;
        return locked_ = true;
    }
    /// By anybody, also outside of coroutines.
    void unlock() noexcept {
        LARIAT_CHECK(locked_, "a Mutex was unlocked that nobody holds");
        if (waiting_.empty()) {
            locked_ = false;
        } else {
            waiting_.serve_front();
        }
    }
    [[nodiscard]] bool is_locked() const noexcept { return locked_; }

private:
    friend detail::LockMutex;
    friend detail::ScopedLockMutex;

    bool lock_or_wait(detail::QueuedWait& wait) noexcept {
        if (try_lock()) return true;
        waiting_.push(wait);
        return false;
    }

    detail::WaitQueue waiting_;
    bool locked_ = false;
};

inline bool detail::LockMutex::begin() noexcept { return mutex_.lock_or_wait(*this); }
inline bool detail::ScopedLockMutex::begin() noexcept { return mutex_.lock_or_wait(*this); }

}  // namespace lariat
