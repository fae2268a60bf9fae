// SPDX-License-Identifier: MIT
// Cancellation: a request that is never lost. It completes when what was cancelled has completed, and it never takes
// away a result that had already arrived.
#pragma once

#include <cstdint>
#include <exception>
#include <string_view>

namespace lariat {

/// Why something was cancelled.
enum class CancelReason : std::uint8_t {
    requested,   ///< somebody called cancel()
    deadline,    ///< a deadline passed; surfaces as TimedOut
    scope_exit,  ///< the scope it belongs to is ending
    shutdown,    ///< the program is ending (Ctrl-C, reactor.stop())
};

/// "requested", "deadline", "scope exit" or "shutdown".
std::string_view to_string(CancelReason reason) noexcept;

/// Raised at the await that a cancellation interrupted. Not an `Error`: `catch (const Error&)` lets it pass.
class Cancelled : public std::exception {
public:
    explicit Cancelled(CancelReason reason = CancelReason::requested) noexcept : reason_(reason) {}

    [[nodiscard]] CancelReason reason() const noexcept { return reason_; }
    [[nodiscard]] const char* what() const noexcept override;

private:
    CancelReason reason_;
};

namespace detail {

class CancelContext;
class PromiseBase;
class RootOwner;

/// What a wait is, for those who look at the tree of tasks.
struct WaitInfo {
    const char* verb;                      ///< "read_some"
    const CancelContext* inner = nullptr;  ///< of the coroutine that is waited for, where it has one of its own
    const RootOwner* children = nullptr;   ///< whose tasks are waited for
};

/// What a suspended coroutine waits for, seen by whoever wants to cancel that coroutine, or to know.
class Cancellable {
public:
    [[nodiscard]] virtual WaitInfo info() const noexcept = 0;
    /// Asks to end the wait soon. The waiter is resumed, now or later, exactly once, as if nothing had been asked:
    /// it finds a result if one came first, otherwise it throws. Called at most once per wait.
    virtual void cancel(CancelReason reason) noexcept = 0;

protected:
    ~Cancellable() = default;
};

struct Resumption;  // of coro/deferred_state.hpp

/// The cancellation state that a root coroutine (a spawned Task, a function returning Deferred) shares with every Task
/// it awaits, directly or through others. Owned by the root's promise.
class CancelContext {
public:
    /// Sticky contexts (roots that are Tasks) refuse every further wait once cancelled; the others (Deferred, as in
    /// Twisted) interrupt only the wait that is going on.
    explicit CancelContext(bool sticky) noexcept : sticky_(sticky) {}
    CancelContext(const CancelContext&) = delete;
    CancelContext& operator=(const CancelContext&) = delete;

    /// Requests cancellation and interrupts the wait that is going on, possibly inside this call. The first reason
    /// wins.
    void cancel(CancelReason reason) noexcept;
    /// The two halves of cancel(), for roots that are interrupted from the loop: request() only takes note, and is
    /// false when there is nothing to deliver; deliver() interrupts.
    bool request(CancelReason reason) noexcept;
    void deliver() noexcept;

    /// True when a new wait must not begin; see `reason()`.
    [[nodiscard]] bool is_cancelled() const noexcept { return cancelled_ && shields_ == 0; }
    /// A sticky context was cancelled; while shielded nothing has come of it yet.
    [[nodiscard]] bool was_requested() const noexcept { return cancelled_; }
    [[nodiscard]] CancelReason reason() const noexcept { return reason_; }

    /// Called by awaiters around a suspension; `waiter` is the coroutine that stands there.
    void begin_wait(Cancellable& wait, const PromiseBase& waiter) noexcept {
        waiting_ = &wait;
        standing_at_ = &wait;
        waiter_ = &waiter;
    }
    void end_wait() noexcept {
        waiting_ = nullptr;
        standing_at_ = nullptr;
    }
    /// The outcome of the wait is decided: nobody can cancel it any more. end_wait() follows when it goes on.
    void settle_wait() noexcept { waiting_ = nullptr; }
    /// The wait that is going on, also when it was cancelled or decided and has not ended yet; null when none is.
    [[nodiscard]] const Cancellable* standing_at() const noexcept { return standing_at_; }
    /// Who stands there; valid while standing_at() is not null.
    [[nodiscard]] const PromiseBase* waiter() const noexcept { return waiter_; }
    /// The wait that is going on can still be cancelled.
    [[nodiscard]] bool can_be_interrupted() const noexcept { return waiting_ != nullptr; }

    [[nodiscard]] bool is_sticky() const noexcept { return sticky_; }
    /// The loop of a Deferred that is resuming the root or a coroutine the root waits for; null when none is.
    void set_resumption(Resumption* resumption) noexcept { resumption_ = resumption; }
    [[nodiscard]] Resumption* resumption() const noexcept { return resumption_; }

    /// While shielded, requests are remembered but not acted upon.
    void shield() noexcept { ++shields_; }
    void unshield() noexcept { --shields_; }

private:
    Cancellable* waiting_ = nullptr;  // null also once it was cancelled
    const Cancellable* standing_at_ = nullptr;
    const PromiseBase* waiter_ = nullptr;
    Resumption* resumption_ = nullptr;
    unsigned shields_ = 0;
    CancelReason reason_ = CancelReason::requested;
    bool cancelled_ = false;
    bool sticky_;
};

}  // namespace detail
}  // namespace lariat
