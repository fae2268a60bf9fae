// SPDX-License-Identifier: MIT
#include <lariat/coro/task_root.hpp>

#include <lariat/runtime/reactor.hpp>
#include <lariat/runtime/report.hpp>

#include <string>

namespace lariat::detail {

void RootOwner::cancel_roots(CancelReason reason) noexcept {
    if (!cancelled_) {
        cancelled_ = true;
        reason_ = reason;
    }
    roots_.for_each([reason](TaskRoot& root) { root.cancel(reason); });
}

TaskRoot::TaskRoot(RootOwner& owner) noexcept : made_at_(owner.reactor().turn_time()), later_(*this), owner_(&owner) {
    if (owner.is_cancelled()) context_.request(owner.cancel_reason());
    owner.roots_.push_back(*this);
}

void TaskRoot::cancel(CancelReason reason) noexcept {
    if (ended_) return;
    if (context_.request(reason) && !later_.is_scheduled()) owner_->reactor().schedule(later_);
}

void TaskRoot::task_ended() noexcept {
    ended_ = true;
    if (!starting_ && !later_.is_scheduled()) owner_->reactor().schedule(later_);
}

void TaskRoot::run_later() noexcept {
    if (ended_) {
        finish();
    } else {
        context_.deliver();
    }
}

void TaskRoot::fail_to_start(std::exception_ptr failure) noexcept {
    set_failure(Failure(std::move(failure), std::source_location()));
    ended_ = true;
    finish();
}

void TaskRoot::finish() noexcept {
    later_.unlink();
    settle();
    unlink();
    done_ = true;
    owner_->root_ended(*this);
    if (joiner_) std::exchange(joiner_, nullptr)->joined();
    release();
}

bool TaskRoot::has_failed() const noexcept { return failure_ && !failure_.check<Cancelled>(); }

void TaskRoot::log_failure(const char* consequence) const noexcept {
    try {
        std::string text = "a task failed; ";
        text += consequence;
        lariat::log_failure("task", text, failure_);
    } catch (...) {
        // Out of memory: there is nobody left to tell.
    }
}

void TaskRoot::dispose() noexcept {
    if (!observed_ && has_failed()) log_failure("nobody waited for it");
    delete this;
}

}  // namespace lariat::detail
