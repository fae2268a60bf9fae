// SPDX-License-Identifier: MIT
#include <lariat/coro/cancel_token.hpp>

#include <lariat/coro/operation.hpp>
#include <lariat/runtime/reactor.hpp>

namespace lariat {

std::optional<CancelReason> CancelToken::reason() const noexcept {
    if (!is_cancelled()) return std::nullopt;
    return reason_ ? reason_->load() : CancelReason::requested;
}

bool CancelSource::cancel(CancelReason reason) noexcept {
    if (reason_->given.exchange(true)) return false;
    reason_->store(reason);  // seen by whoever sees the stop
    return stop_.request_stop();
}

namespace detail {

/// The mail that brings a cancellation to the task's loop. Until it is posted it is the scope's; then it is its own,
/// and what it finds of the scope is null when that has ended.
class TokenScope::News : public Mail {
public:
    News(TokenScope& scope, Reactor& reactor) noexcept : Mail(deliver, drop), reactor_(reactor), scope_(&scope) {}

    static void* operator new(std::size_t size) { return allocate_frame(size); }
    static void operator delete(void* memory, std::size_t size) noexcept { release_frame(memory, size); }

    void post() noexcept {
        posted_ = true;
        reactor_.post(*this);
    }
    /// The scope ends; nobody calls post() any more.
    void let_go() noexcept {
        scope_ = nullptr;
        if (!posted_) delete this;
    }

private:
    static void deliver(Mail& mail) noexcept {
        auto& self = static_cast<News&>(mail);
        TokenScope* scope = self.scope_;
        if (scope) scope->news_ = nullptr;
        delete &self;
        // The task may end in here, and the scope with it.
        if (scope) scope->inner_.cancel(*scope->token_.reason());
    }
    static void drop(Mail& mail) noexcept { delete &static_cast<News&>(mail); }

    Reactor& reactor_;
    TokenScope* scope_;
    bool posted_ = false;  // by the canceller's thread; read when its callback has returned
};

void TokenScope::Post::operator()() const noexcept { news->post(); }

CancelContext& TokenScope::enter(CancelContext& outer) noexcept {
    CancelContext& inner = enter_inside(outer);
    if (const auto reason = token_.reason()) inner.request(*reason);
    return inner;
}

void TokenScope::wait(const PromiseBase& waiter) noexcept {
    wait_inside(waiter);
    if (inner_.was_requested() || !token_.stop_token().stop_possible()) return;
    news_ = new News(*this, this_reactor("with_token()"));
    callback_.emplace(token_.stop_token(), Post{news_});
}

void TokenScope::leave(const Failure&) noexcept {
    callback_.reset();  // waits for a canceller that is at it
    if (news_) news_->let_go();
    leave_inside();
}

}  // namespace detail
}  // namespace lariat
