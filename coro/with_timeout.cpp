// SPDX-License-Identifier: MIT
#include <lariat/coro/with_timeout.hpp>

#include <lariat/runtime/connection_error.hpp>
#include <lariat/runtime/reactor.hpp>

namespace lariat::detail {

void Limit::raise() const {
    if (is_deadline_) throw TimedOut("with_deadline()");
    throw TimedOut(duration_, "with_timeout()");
}

CancelContext& DeadlineScope::enter(CancelContext& outer) noexcept {
    reactor_ = &this_reactor("with_timeout()");
    limit_.begin(reactor_->now());
    return enter_inside(outer);
}

void DeadlineScope::wait(const PromiseBase& waiter) noexcept {
    wait_inside(waiter);
    reactor_->timers().arm(*this, limit_.deadline());
}

// The loop may not have looked at its descriptors for a while: what had arrived by now is delivered first.
void DeadlineScope::on_fire(Timer& timer) noexcept {
    auto& self = static_cast<DeadlineScope&>(timer);
    self.reactor_->schedule(self);
}

void DeadlineScope::expire() noexcept {
    if (inner_.was_requested()) return;
    expired_ = true;
    inner_.cancel(CancelReason::deadline);  // the Task may end in here, and this object with it
}

void DeadlineScope::leave(const Failure& failure) {
    Timer::disarm();
    Ready::unlink();
    leave_inside();
    if (!expired_) return;
    const auto* cancelled = failure.value<Cancelled>();
    if (cancelled && cancelled->reason() == CancelReason::deadline) limit_.raise();
}

}  // namespace lariat::detail
