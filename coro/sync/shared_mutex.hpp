// SPDX-License-Identifier: MIT
// SharedMutex: many readers or one writer. First come, first served: a reader that comes while a writer waits waits
// behind it, so that neither kind starves.
//
// Lifetime: must outlive those that wait for it. Threads: the reactor's.
#pragma once

#include <lariat/coro/sync/wait_queue.hpp>
#include <lariat/io/base/assert.hpp>

#include <cstddef>
#include <mutex>
#include <shared_mutex>

namespace lariat {

class SharedMutex;

namespace detail {

class SharedMutexWait : public QueuedWait {
public:
    [[nodiscard]] bool is_shared() const noexcept { return shared_; }

protected:
    SharedMutexWait(SharedMutex& mutex, bool shared) noexcept : mutex_(mutex), shared_(shared) {}
    ~SharedMutexWait() = default;

    bool begin() noexcept;
    SharedMutex& mutex_;

private:
    bool withdraw() noexcept final;
    const char* verb() const noexcept final { return shared_ ? "lock_shared" : "lock"; }

    bool shared_;
};

template <bool shared>
class LockSharedMutex final : public Operation<LockSharedMutex<shared>, SharedMutexWait> {
    using Base = Operation<LockSharedMutex<shared>, SharedMutexWait>;

public:
    explicit LockSharedMutex(SharedMutex& mutex) noexcept : Base(mutex, shared) {}
    void await_resume() const { this->check(); }

private:
    friend Base;
};

/// `Lock` is std::unique_lock or std::shared_lock.
template <class Lock, bool shared>
class ScopedLockSharedMutex final : public Operation<ScopedLockSharedMutex<Lock, shared>, SharedMutexWait> {
    using Base = Operation<ScopedLockSharedMutex<Lock, shared>, SharedMutexWait>;

public:
    explicit ScopedLockSharedMutex(SharedMutex& mutex) noexcept : Base(mutex, shared) {}
    Lock await_resume() const {
        this->check();
        return Lock(this->mutex_, std::adopt_lock);
    }

private:
    friend Base;
};

}  // namespace detail

class SharedMutex {
public:
    SharedMutex() noexcept : waiting_("a SharedMutex") {}

    /// Waits until nobody else holds it. The caller must call unlock().
    ///
    /// Cancellation, of every verb: the lock that was handed over first is delivered; otherwise nothing was taken.
    [[nodiscard]] detail::LockSharedMutex<false> lock() noexcept { return detail::LockSharedMutex<false>(*this); }
    /// Waits until no writer holds it or waits. The caller must call unlock_shared().
    [[nodiscard]] detail::LockSharedMutex<true> lock_shared() noexcept { return detail::LockSharedMutex<true>(*this); }
    /// The same with owners that unlock, to be kept in a named object.
    [[nodiscard]] auto scoped_lock() noexcept {
        return detail::ScopedLockSharedMutex<std::unique_lock<SharedMutex>, false>(*this);
    }
    [[nodiscard]] auto scoped_lock_shared() noexcept {
        return detail::ScopedLockSharedMutex<std::shared_lock<SharedMutex>, true>(*this);
    }

    [[nodiscard]] bool try_lock() noexcept {
        if (writing_ || readers_ > 0) return false;
        return writing_ = true;
    }
    [[nodiscard]] bool try_lock_shared() noexcept {
        if (writing_ || !waiting_.empty()) return false;
        ++readers_;
        return true;
    }
    void unlock() noexcept {
        LARIAT_CHECK(writing_, "a SharedMutex was unlocked that nobody holds alone");
        writing_ = false;
        serve();
    }
    void unlock_shared() noexcept {
        LARIAT_CHECK(readers_ > 0, "a SharedMutex was unlocked that nobody shares");
        --readers_;
        serve();
    }

private:
    friend detail::SharedMutexWait;

    /// Hands over to those in front, as many as may hold it together.
    void serve() noexcept {
        while (!waiting_.empty()) {
            auto& next = waiting_.front<detail::SharedMutexWait>();
            if (writing_ || (readers_ > 0 && !next.is_shared())) return;
            if (next.is_shared()) {
                ++readers_;
            } else {
                writing_ = true;
            }
            waiting_.serve_front();
        }
    }

    detail::WaitQueue waiting_;
    std::size_t readers_ = 0;
    bool writing_ = false;
};

inline bool detail::SharedMutexWait::begin() noexcept {
    if (shared_ ? mutex_.try_lock_shared() : mutex_.try_lock()) return true;
    mutex_.waiting_.push(*this);
    return false;
}
inline bool detail::SharedMutexWait::withdraw() noexcept {
    unlink();
    mutex_.serve();  // readers behind a writer that gives up
    return true;
}

}  // namespace lariat
