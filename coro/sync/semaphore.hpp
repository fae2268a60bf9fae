// SPDX-License-Identifier: MIT
// Semaphore: a number of permits. First come, first served: one that wants many is not overtaken by those that want
// few.
//
// Lifetime: must outlive those that wait for it. Threads: the reactor's.
#pragma once

#include <lariat/coro/sync/wait_queue.hpp>

#include <cstddef>
#include <utility>

namespace lariat {

class Semaphore;

/// Permits that go back when it dies.
class SemaphorePermit {
public:
    SemaphorePermit() noexcept = default;
    SemaphorePermit(Semaphore& semaphore, std::size_t count) noexcept : semaphore_(&semaphore), count_(count) {}
    SemaphorePermit(SemaphorePermit&& other) noexcept
        : semaphore_(std::exchange(other.semaphore_, nullptr)), count_(other.count_) {}
    SemaphorePermit& operator=(SemaphorePermit&& other) noexcept {
        if (this != &other) {
            release();
            semaphore_ = std::exchange(other.semaphore_, nullptr);
            count_ = other.count_;
        }
        return *this;
    }
    ~SemaphorePermit() { release(); }

    /// Gives them back now.
    void release() noexcept;

private:
    Semaphore* semaphore_ = nullptr;
    std::size_t count_ = 0;
};

namespace detail {

class SemaphoreWait : public QueuedWait {
public:
    [[nodiscard]] std::size_t count() const noexcept { return count_; }

protected:
    SemaphoreWait(Semaphore& semaphore, std::size_t count) noexcept : semaphore_(semaphore), count_(count) {}
    ~SemaphoreWait() = default;

    bool begin() noexcept;
    Semaphore& semaphore_;

private:
    bool withdraw() noexcept final;
    const char* verb() const noexcept final { return "acquire"; }

    std::size_t count_;
};

class AcquireSemaphore final : public Operation<AcquireSemaphore, SemaphoreWait> {
public:
    AcquireSemaphore(Semaphore& semaphore, std::size_t count) noexcept : Operation(semaphore, count) {}
    void await_resume() const { check(); }

private:
    friend Operation<AcquireSemaphore, SemaphoreWait>;
};

class ScopedAcquireSemaphore final : public Operation<ScopedAcquireSemaphore, SemaphoreWait> {
public:
    ScopedAcquireSemaphore(Semaphore& semaphore, std::size_t count) noexcept : Operation(semaphore, count) {}
    SemaphorePermit await_resume() const {
        check();
        return {semaphore_, count()};
    }

private:
    friend Operation<ScopedAcquireSemaphore, SemaphoreWait>;
};

}  // namespace detail

class Semaphore {
public:
    explicit Semaphore(std::size_t permits) noexcept : waiting_("a Semaphore"), permits_(permits) {}

    /// Waits for `count` permits. release() gives them back.
    ///
    /// Cancellation: permits that were handed over first are delivered; otherwise none was taken.
    [[nodiscard]] detail::AcquireSemaphore acquire(std::size_t count = 1) noexcept { return {*this, count}; }
    /// The same with an owner, to be kept in a named object.
    [[nodiscard]] detail::ScopedAcquireSemaphore scoped_acquire(std::size_t count = 1) noexcept {
        return {*this, count};
    }
    /// False when there are too few, or others wait.
    [[nodiscard]] bool try_acquire(std::size_t count = 1) noexcept {
        if (count > permits_ || !waiting_.empty()) return false;
        permits_ -= count;
        return true;
    }
    /// More than were acquired is fine: the number grows.
    void release(std::size_t count = 1) noexcept {
        permits_ += count;
        serve();
    }
    /// Those that nobody has.
    [[nodiscard]] std::size_t available() const noexcept { return permits_; }

private:
    friend detail::SemaphoreWait;

    void serve() noexcept {
        while (!waiting_.empty()) {
            const std::size_t count = waiting_.front<detail::SemaphoreWait>().count();
            if (count > permits_) return;
            permits_ -= count;
            waiting_.serve_front();
        }
    }

    detail::WaitQueue waiting_;
    std::size_t permits_;
};

inline void SemaphorePermit::release() noexcept {
    if (semaphore_) std::exchange(semaphore_, nullptr)->release(count_);
}
inline bool detail::SemaphoreWait::begin() noexcept {
    if (semaphore_.try_acquire(count_)) return true;
    semaphore_.waiting_.push(*this);
    return false;
}
inline bool detail::SemaphoreWait::withdraw() noexcept {
    unlink();
    semaphore_.serve();  // those behind may want less
    return true;
}

}  // namespace lariat
