// SPDX-License-Identifier: MIT
#include <lariat/io/base/timer_queue.hpp>

#include <algorithm>
#include <utility>

namespace lariat {
namespace {

constexpr std::size_t arity = 4;  // four keys of 24 bytes beside each other: fewer levels, fewer cache lines than two

}  // namespace

TimerQueue::~TimerQueue() {
    for (const Entry& entry : heap_) entry.timer->queue_ = nullptr;
}

void TimerQueue::arm(Timer& timer, TimePoint deadline) {
    LARIAT_ASSERT(!timer.queue_ || timer.queue_ == this, "a timer can be in one queue at a time");
    // What is armed while timers fire sorts behind everything that is due, so that expire() stops at the first of them.
    const Entry entry{std::max(deadline, expiring_), next_sequence_, &timer};
    if (timer.queue_) {
        const std::size_t index = timer.index_;
        if (earlier(entry, heap_[index])) {
            sift_up(index, entry);
        } else {
            sift_down(index, entry);
        }
    } else {
        heap_.push_back(entry);
        timer.queue_ = this;
        sift_up(heap_.size() - 1, entry);
    }
    ++next_sequence_;
    timer.deadline_ = deadline;
}

void TimerQueue::disarm(Timer& timer) noexcept {
    if (!timer.queue_) return;
    timer.queue_ = nullptr;
    remove_at(timer.index_);
}

std::size_t TimerQueue::expire(TimePoint now) noexcept {
    const std::uint64_t armed_before = next_sequence_;
    const TimePoint outer = std::exchange(expiring_, std::max(expiring_, now));
    std::size_t fired = 0;
    while (!heap_.empty() && heap_.front().deadline <= now && heap_.front().sequence < armed_before) {
        Timer& timer = *heap_.front().timer;
        timer.queue_ = nullptr;
        remove_at(0);
        ++fired;
        timer.fire_(timer);
    }
    expiring_ = outer;
    return fired;
}

void TimerQueue::sift_up(std::size_t index, Entry entry) noexcept {
    while (index > 0) {
        const std::size_t parent = (index - 1) / arity;
        if (!earlier(entry, heap_[parent])) break;
        place(index, heap_[parent]);
        index = parent;
    }
    place(index, entry);
}

void TimerQueue::sift_down(std::size_t index, Entry entry) noexcept {
    for (;;) {
        const std::size_t first = index * arity + 1;
        if (first >= heap_.size()) break;
        const std::size_t last = std::min(first + arity, heap_.size());
        std::size_t least = first;
        for (std::size_t child = first + 1; child < last; ++child) {
            if (earlier(heap_[child], heap_[least])) least = child;
        }
        if (!earlier(heap_[least], entry)) break;
        place(index, heap_[least]);
        index = least;
    }
    place(index, entry);
}

// The last element takes the place that became free.
void TimerQueue::remove_at(std::size_t index) noexcept {
    const Entry last = heap_.back();
    heap_.pop_back();
    if (index == heap_.size()) return;
    if (index > 0 && earlier(last, heap_[(index - 1) / arity])) {
        sift_up(index, last);
    } else {
        sift_down(index, last);
    }
}

}  // namespace lariat
