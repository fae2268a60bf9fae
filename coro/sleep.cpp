// SPDX-License-Identifier: MIT
#include <lariat/coro/sleep.hpp>

#include <lariat/runtime/reactor.hpp>

namespace lariat::detail {

bool Sleep::begin() noexcept {
    Reactor& reactor = this_reactor("sleep()");
    if (until_ == TimePoint::min()) until_ = saturating_add(reactor.now(), duration_);
    reactor.timers().arm(*this, until_);
    return false;
}

bool Yield::begin() noexcept {
    this_reactor("yield()").schedule(*this);
    return false;
}

}  // namespace lariat::detail
