// SPDX-License-Identifier: MIT
#include <lariat/coro/operation.hpp>

#include <lariat/io/base/assert.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/runtime/reactor.hpp>

#include <string>

namespace lariat::detail {

Reactor& this_reactor(const char* who) noexcept {
    Reactor* reactor = Reactor::current();
    if (!reactor) {
        std::string text = who;
        text += " was used on a thread that runs no Reactor; call it from inside lariat::run() or Reactor::run()";
        LARIAT_PANIC(text);
    }
    return *reactor;
}

// When the timer fires, the loop may not have looked at its descriptors for a while. The verdict therefore waits until
// it has: what had arrived by then is delivered.
class OperationBase::Deadline : public Timer, public Ready {
public:
    explicit Deadline(OperationBase& operation, Reactor& reactor) noexcept
        : Timer(on_fire), Ready(on_ready), operation_(operation), reactor_(reactor) {}

    static void* operator new(std::size_t size) { return allocate_frame(size); }
    static void operator delete(void* memory, std::size_t size) noexcept { release_frame(memory, size); }

private:
    static void on_fire(Timer& timer) noexcept {
        auto& self = static_cast<Deadline&>(timer);
        self.reactor_.schedule(self);
    }
    static void on_ready(Ready& ready) noexcept { static_cast<Deadline&>(ready).operation_.time_out(); }

    OperationBase& operation_;
    Reactor& reactor_;
};

void OperationBase::arm_deadline_now() noexcept {
    Reactor& reactor = this_reactor("within()");
    deadline_ = new Deadline(*this, reactor);
    reactor.timers().arm(*deadline_, saturating_add(reactor.now(), limit_));
}

void OperationBase::drop_deadline() noexcept { delete std::exchange(deadline_, nullptr); }

void OperationBase::cancel(CancelReason reason) noexcept { end_early(Outcome::cancelled, reason); }

void OperationBase::time_out() noexcept { end_early(Outcome::timed_out, CancelReason::deadline); }

void OperationBase::end_early(Outcome outcome, CancelReason reason) noexcept {
    settle();  // it is asked once
    outcome_ = outcome;
    reason_ = reason;
    if (withdraw()) finish();
}

void OperationBase::raise() const {
    if (outcome_ == Outcome::timed_out) throw TimedOut(limit_, verb());
    throw Cancelled(reason_);
}

}  // namespace lariat::detail
