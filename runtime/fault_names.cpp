// SPDX-License-Identifier: MIT
#include <lariat/runtime/fault_names.hpp>

#include <lariat/runtime/reactor.hpp>

#include <utility>

namespace lariat {

FaultNames::FaultNames(Reactor& reactor, const io::FaultPlan& plan) noexcept
    : reactor_(reactor), plan_(plan), random_(Random(plan.seed()).fork("names")) {}

std::shared_ptr<FaultNames> FaultNames::install(Reactor& reactor, const io::FaultPlan& plan) {
    auto names = std::make_shared<FaultNames>(reactor, plan);
    names->below_ = reactor.install_name_resolver(names);
    return names;
}

// The question waits and not the answer, which may come on any thread and after the end of the reactor.
void FaultNames::look_up(const Query& query, Answer answer) {
    if (!random_.chance(plan_.rate(io::Fault::slow_answer))) return below_->look_up(query, std::move(answer));
    counts_.add(io::Fault::slow_answer);
    const Duration delay(random_.below(static_cast<std::uint64_t>(plan_.slowness().count()) + 1));
    reactor_.call_later(delay, [below = below_, query, answer = std::move(answer)]() mutable {
        below->look_up(query, std::move(answer));
    });
}

}  // namespace lariat
