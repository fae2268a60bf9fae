// SPDX-License-Identifier: MIT
// FaultNames: slow name resolution on any backend, in front of whatever a reactor looks names up with.
//
//     const auto names = FaultNames::install(reactor, io::FaultPlan(seed).rate(io::Fault::slow_answer, 500));
//
// Threads: the reactor's.
#pragma once

#include <lariat/io/base/random.hpp>
#include <lariat/io/fault/fault_plan.hpp>
#include <lariat/runtime/resolver.hpp>

#include <memory>

namespace lariat {

class FaultNames final : public NameResolver {
public:
    /// Puts one in front of `reactor`'s name resolver. Of the plan, `slow_answer` and `slowness` matter: such a query
    /// is asked that much later. Queries still waiting when the reactor dies are dropped.
    static std::shared_ptr<FaultNames> install(Reactor& reactor, const io::FaultPlan& plan);

    FaultNames(Reactor& reactor, const io::FaultPlan& plan) noexcept;
    void look_up(const Query& query, Answer answer) override;

    [[nodiscard]] const io::FaultCounts& counts() const noexcept { return counts_; }

private:
    Reactor& reactor_;
    io::FaultPlan plan_;
    io::FaultCounts counts_;
    Random random_;
    std::shared_ptr<NameResolver> below_;
};

}  // namespace lariat
