// SPDX-License-Identifier: MIT
// TimerQueue: a 4-ary heap of intrusive timers ordered by deadline, first in, first out among equals. No kernel timers:
// the loop waits until next_deadline().
//
// Threads: the reactor's only.
#pragma once

#include <lariat/io/base/assert.hpp>
#include <lariat/io/base/clock.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lariat {

class TimerQueue;

/// Something that fires once at its deadline. Destroying it disarms it.
class Timer {
public:
    using Fire = void (*)(Timer&) noexcept;

    explicit Timer(Fire fire) noexcept : fire_(fire) {}
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    ~Timer() { disarm(); }

    [[nodiscard]] bool is_armed() const noexcept { return queue_ != nullptr; }
    [[nodiscard]] TimePoint deadline() const noexcept { return deadline_; }
    /// Nothing happens when it is not armed.
    void disarm() noexcept;

private:
    friend class TimerQueue;

    Fire fire_;
    TimerQueue* queue_ = nullptr;
    TimePoint deadline_ = never;
    std::size_t index_ = 0;  // its place in the heap
};

class TimerQueue {
public:
    TimerQueue() = default;
    TimerQueue(const TimerQueue&) = delete;
    TimerQueue& operator=(const TimerQueue&) = delete;
    /// Disarms what is left.
    ~TimerQueue();

    /// Arms `timer`, or moves it when it is armed here already; among equal deadlines it comes last.
    void arm(Timer& timer, TimePoint deadline);
    void disarm(Timer& timer) noexcept;

    /// Fires, in order, the timers due at `now` that were armed before this call; those armed by a firing timer wait
    /// for the next call, so that zero delays cannot starve the loop. Returns how many fired.
    std::size_t expire(TimePoint now) noexcept;

    /// `never` when there is none.
    [[nodiscard]] TimePoint next_deadline() const noexcept { return heap_.empty() ? never : heap_.front().deadline; }
    [[nodiscard]] std::size_t size() const noexcept { return heap_.size(); }
    [[nodiscard]] bool empty() const noexcept { return heap_.empty(); }

    /// Calls `visit(Timer&)` for each armed timer, in no particular order. `visit` must not arm or disarm.
    template <class Visit>
    void for_each(Visit visit) {
        for (const Entry& entry : heap_) visit(*entry.timer);
    }

private:
    struct Entry {  // the key beside the pointer: sifting touches one cache line per level
        TimePoint deadline;
        std::uint64_t sequence;
        Timer* timer;
    };

    static bool earlier(const Entry& a, const Entry& b) noexcept {
        return a.deadline != b.deadline ? a.deadline < b.deadline : a.sequence < b.sequence;
    }
    void place(std::size_t index, const Entry& entry) noexcept {
        heap_[index] = entry;
        entry.timer->index_ = index;
    }
    void sift_up(std::size_t index, Entry entry) noexcept;
    void sift_down(std::size_t index, Entry entry) noexcept;
    void remove_at(std::size_t index) noexcept;

    std::vector<Entry> heap_;
    std::uint64_t next_sequence_ = 0;
    TimePoint expiring_ = TimePoint::min();  // the time expire() is working on, while it does
};

inline void Timer::disarm() noexcept {
    if (queue_) queue_->disarm(*this);
}

}  // namespace lariat
