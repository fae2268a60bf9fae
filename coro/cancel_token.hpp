// SPDX-License-Identifier: MIT
// CancelSource and CancelToken: cancellation by somebody who does not know the task, from any thread.
//
//     CancelSource source;                                  // a button, a signal, another thread
//     co_await with_token(source.token(), talk(peer));      // throws Cancelled once source.cancel() was called
//
// Threads: any; what a task does about it happens on its own.
#pragma once

#include <lariat/coro/nested_context.hpp>
#include <lariat/runtime/mailbox.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>

namespace lariat {

/// Sees the cancellation of a CancelSource, or of a std::stop_source. Copies are alike and cheap.
class CancelToken {
public:
    /// Is never cancelled.
    CancelToken() noexcept = default;
    /// The reason is CancelReason::requested.
    CancelToken(std::stop_token token) noexcept : stop_(std::move(token)) {}

    [[nodiscard]] bool is_cancelled() const noexcept { return stop_.stop_requested(); }
    /// Of the first cancel(); nothing before.
    [[nodiscard]] std::optional<CancelReason> reason() const noexcept;
    /// For functions of the standard library, and of threads: `run_in_thread(compute, token.stop_token())`.
    [[nodiscard]] const std::stop_token& stop_token() const noexcept { return stop_; }

private:
    friend class CancelSource;
    using Reason = std::atomic<CancelReason>;

    CancelToken(std::stop_token stop, std::shared_ptr<const Reason> reason) noexcept
        : stop_(std::move(stop)), reason_(std::move(reason)) {}

    std::stop_token stop_;
    std::shared_ptr<const Reason> reason_;
};

/// Cancels whatever its tokens were given to. Copies are the same source; it may die before its tokens, which are then
/// never cancelled any more.
class CancelSource {
public:
    CancelSource() : reason_(std::make_shared<Reason>(CancelReason::requested)) {}

    [[nodiscard]] CancelToken token() const noexcept { return {stop_.get_token(), reason_}; }
    /// Asks once: true for the first call, whose reason is the one. The tasks hear of it from their loops, never inside
    /// this call.
    bool cancel(CancelReason reason = CancelReason::requested) noexcept;
    [[nodiscard]] bool is_cancelled() const noexcept { return stop_.stop_requested(); }

private:
    struct Reason : CancelToken::Reason {
        using CancelToken::Reason::atomic;
        std::atomic<bool> given{false};
    };

    std::stop_source stop_;
    std::shared_ptr<Reason> reason_;
};

namespace detail {

/// A cancel context that a token cancels.
class TokenScope : public NestedContext {
protected:
    explicit TokenScope(const CancelToken& token) noexcept : NestedContext("with_token"), token_(token) {}
    ~TokenScope() = default;

    CancelContext& enter(CancelContext& outer) noexcept;
    /// Listens to the token: only what really waits needs to hear of it.
    void wait(const PromiseBase& waiter) noexcept;
    void leave(const Failure& failure) noexcept;

private:
    class News;
    struct Post {
        News* news;
        void operator()() const noexcept;
    };

    CancelToken token_;
    News* news_ = nullptr;  // not ours any more once it was posted
    std::optional<std::stop_callback<Post>> callback_;
};

}  // namespace detail

/// Cancels `task` when `token` is cancelled, and returns when it has ended. What it awaits and the scopes it opens are
/// reached, as by with_timeout(); a token that is cancelled already refuses its first wait.
///
/// Cancellation: reaches the task, too. Errors: what the task throws, Cancelled with the source's reason among it. The
/// task around it is not cancelled by the token: it may catch that and go on.
template <class T>
[[nodiscard]] Task<T> with_token(CancelToken token, Task<T> task) {
    using Nested = detail::NestedTask<T, detail::TokenScope, CancelToken>;
    co_return co_await detail::Hidden(Nested(std::move(task), std::move(token)));
}

}  // namespace lariat
