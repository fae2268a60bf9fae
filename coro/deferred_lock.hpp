// SPDX-License-Identifier: MIT
// DeferredLock and DeferredSemaphore: exclusion with Deferreds. First come, first served; release() hands over inside.
#pragma once

#include <lariat/coro/deferred.hpp>

#include <cstddef>
#include <deque>
#include <functional>
#include <tuple>
#include <utility>

namespace lariat {

/// A number of tokens. Must outlive what runs under it; waiters fail with AbandonedError when it is
/// destroyed.
/// Anybody may release: there is no owner.
class DeferredSemaphore {
public:
    /// Throws UsageError when `tokens` is zero.
    explicit DeferredSemaphore(std::size_t tokens);
    ~DeferredSemaphore();
    DeferredSemaphore(const DeferredSemaphore&) = delete;
    DeferredSemaphore& operator=(const DeferredSemaphore&) = delete;

    /// Fires when there is a token: at once, or inside the release() that makes one free.
    /// Cancellation: a waiting one leaves the queue; one that has fired keeps its token.
    [[nodiscard]] Deferred<> acquire(const std::source_location& where = std::source_location::current());

    /// Gives a token back: to the one that waits longest, whose callbacks run before this returns, unless it is called
    /// from such a callback; then they run after that one, so that a long queue needs no stack.
    /// Throws UsageError when no token is out.
    void release();

    /// Calls `f(arguments...)` under a token and gives it back when the result, a Deferred or not, is there.
    /// Cancellation: leaves the queue, or cancels what `f` returned.
    template <class F, class... A>
    auto run(F&& f, A&&... arguments) {
        return acquire().add_callback(
            [this, call = detail::bind_callback(std::forward<F>(f), std::forward<A>(arguments)...)]() mutable {
                return maybe_deferred(call).add_both([this](auto result) {
                    release();
                    return result;
                });
            });
    }

    [[nodiscard]] std::size_t tokens() const noexcept { return free_; }
    [[nodiscard]] std::size_t limit() const noexcept { return limit_; }
    /// How many wait.
    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }

protected:
    /// With what release() says when no token is out.
    DeferredSemaphore(std::size_t tokens, const char* nothing_out);

private:
    std::size_t limit_;
    std::size_t free_;
    const char* nothing_out_;
    std::size_t handing_over_ = 0;  // tokens released inside a waiter's callback
    bool in_release_ = false;
    std::deque<Deferred<>> waiting_;
};

/// A semaphore of one token.
class DeferredLock : private DeferredSemaphore {
public:
    DeferredLock() : DeferredSemaphore(1, "Tried to release an unlocked lock") {}

    using DeferredSemaphore::acquire;
    using DeferredSemaphore::release;
    using DeferredSemaphore::run;
    using DeferredSemaphore::waiting;
    [[nodiscard]] bool locked() const noexcept { return tokens() == 0; }
};

}  // namespace lariat
