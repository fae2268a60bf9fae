// SPDX-License-Identifier: MIT
// Event: a flag to wait for, which stays up until reset(). AutoResetEvent: each set() lets one pass.
//
// Lifetime: must outlive those that wait for it. Threads: the reactor's.
#pragma once

#include <lariat/coro/sync/wait_queue.hpp>

#include <utility>

namespace lariat {

namespace detail {

/// Waits for what `Source::pass_or_wait()` decides.
template <class Source>
class WaitFor final : public QueuedOperation<WaitFor<Source>> {
public:
    explicit WaitFor(Source& source) noexcept : source_(source) {}
    void await_resume() const { this->check(); }

private:
    friend Operation<WaitFor, QueuedWait>;

    bool begin() noexcept { return source_.pass_or_wait(*this); }
    const char* verb() const noexcept override { return "wait"; }

    Source& source_;
};

}  // namespace detail

class Event {
public:
    explicit Event(bool set = false) noexcept : waiting_("an Event"), set_(set) {}

    /// Goes on when the event is set. What set() released goes on also when reset() follows.
    ///
    /// Cancellation: one that set() released first is delivered.
    [[nodiscard]] detail::WaitFor<Event> wait() noexcept { return detail::WaitFor<Event>(*this); }
    /// Releases all that wait, and lets everybody pass until reset().
    void set() noexcept {
        set_ = true;
        waiting_.serve_all();
    }
    void reset() noexcept { set_ = false; }
    [[nodiscard]] bool is_set() const noexcept { return set_; }

private:
    friend detail::WaitFor<Event>;

    bool pass_or_wait(detail::QueuedWait& wait) noexcept {
        if (!set_) waiting_.push(wait);
        return set_;
    }

    detail::WaitQueue waiting_;
    bool set_;
};

class AutoResetEvent {
public:
    explicit AutoResetEvent(bool set = false) noexcept : waiting_("an AutoResetEvent"), set_(set) {}

    /// Takes the event: the next one waits for another set(). First come, first served.
    ///
    /// Cancellation: an event that was handed over first is delivered; otherwise none was taken.
    [[nodiscard]] detail::WaitFor<AutoResetEvent> wait() noexcept { return detail::WaitFor<AutoResetEvent>(*this); }
    /// Releases the one that has waited longest, or the next that comes. Set twice is set once.
    void set() noexcept {
        if (waiting_.empty()) {
            set_ = true;
        } else {
            waiting_.serve_front();
        }
    }
    void reset() noexcept { set_ = false; }
    [[nodiscard]] bool is_set() const noexcept { return set_; }

private:
    friend detail::WaitFor<AutoResetEvent>;

    bool pass_or_wait(detail::QueuedWait& wait) noexcept {
        if (std::exchange(set_, false)) return true;
        waiting_.push(wait);
        return false;
    }

    detail::WaitQueue waiting_;
    bool set_;
};

}  // namespace lariat
