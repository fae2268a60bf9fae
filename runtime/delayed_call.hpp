// SPDX-License-Identifier: MIT
// DelayedCall: the handle of a call that Reactor::call_later() queued, and the pool of such calls that a Reactor has.
//
// Lifetime: handles may be copied and may outlive the reactor; a call whose reactor died counts as cancelled. Threads:
// the reactor's.
#pragma once

#include <lariat/io/base/clock.hpp>
#include <lariat/io/base/error.hpp>
#include <lariat/io/base/function.hpp>
#include <lariat/io/base/intrusive_list.hpp>

#include <cstddef>
#include <source_location>
#include <utility>
#include <vector>

namespace lariat {

namespace io {
class Backend;
}
class DelayedCalls;
class TimerQueue;

/// A DelayedCall was changed that is not pending any more.
class DelayedCallError : public UsageError {
public:
    using UsageError::UsageError;
};

/// It has been called, or is being called.
class AlreadyCalled : public DelayedCallError {
public:
    AlreadyCalled() : DelayedCallError("Tried to cancel an already-called event.") {}
};

/// It was cancelled before.
class AlreadyCancelled : public DelayedCallError {
public:
    AlreadyCancelled() : DelayedCallError("Tried to cancel an already-cancelled event.") {}
};

/// A call that is to be made later. Destroying the handle does not cancel the call.
///
/// Errors: cancel(), reset() and delay() throw AlreadyCalled from the moment the call begins, AlreadyCancelled after a
/// cancellation.
class DelayedCall {
public:
    /// No call at all; only assignment and the tests make sense.
    DelayedCall() noexcept = default;
    DelayedCall(const DelayedCall& other) noexcept;
    DelayedCall(DelayedCall&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
    DelayedCall& operator=(DelayedCall other) noexcept {
        std::swap(node_, other.node_);
        return *this;
    }
    ~DelayedCall();

    /// The function is destroyed and never called.
    void cancel();
    /// Moves the call to `from_now` after the present, earlier or later. O(log n).
    void reset(Duration from_now);
    /// Moves the call by `by` from when it was to be made; negative is earlier. O(log n).
    void delay(Duration by);

    /// Neither called nor cancelled; false already inside the call itself.
    [[nodiscard]] bool active() const noexcept;
    /// When it is or was to be called.
    [[nodiscard]] TimePoint time() const noexcept;
    /// Where call_later() was called.
    [[nodiscard]] std::source_location where() const noexcept;

    explicit operator bool() const noexcept { return node_ != nullptr; }
    /// True for handles of one call.
    friend bool operator==(const DelayedCall& a, const DelayedCall& b) noexcept { return a.node_ == b.node_; }

private:
    friend class DelayedCalls;
    struct Node;

    explicit DelayedCall(Node& node) noexcept;
    Node& pending() const;

    Node* node_ = nullptr;
};

/// The calls of one reactor. Their nodes are used again, so that steady use of call_later() allocates nothing.
class DelayedCalls {
public:
    static DelayedCalls& create(io::Backend& backend, TimerQueue& timers);
    DelayedCalls(const DelayedCalls&) = delete;
    DelayedCalls& operator=(const DelayedCalls&) = delete;
    /// The owner's last call: cancels what is pending. The memory lives until the last handle is gone.
    void retire() noexcept;

    /// Errors: UsageError for a negative delay.
    DelayedCall call_later(Duration delay, Function<void()> function,
                           const std::source_location& where = std::source_location::current());
    [[nodiscard]] std::vector<DelayedCall> pending();

private:
    friend class DelayedCall;
    using Node = DelayedCall::Node;

    DelayedCalls(io::Backend& backend, TimerQueue& timers);
    ~DelayedCalls();

    Node& acquire();
    static void release(Node& node) noexcept;

    io::Backend* backend_;  // null once retired
    TimerQueue* timers_;
    IntrusiveList<Node> pending_;
    Node* free_ = nullptr;
    std::size_t nodes_out_ = 0;  // nodes with at least one reference
};

}  // namespace lariat
