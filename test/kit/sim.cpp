// SPDX-License-Identifier: MIT
#include <lariat/testing/sim.hpp>

#include <lariat/coro/cancel.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/runtime/report.hpp>
#include <lariat/testing/assertions.hpp>

namespace lariat::testing {

Task<int> Programs::watch(sim::Host& host, const std::string& program, Task<> task) {
    const Outcome<> outcome = co_await as_result(std::move(task));
    if (outcome) co_return 0;
    const auto* const cancelled = outcome.failure().value<Cancelled>();
    if (cancelled && cancelled->reason() == CancelReason::shutdown) co_return 0;
    problems_.push_back({host.name(), program, outcome.failure()});
    co_return 1;
}

std::string Programs::end_programs(Duration patience) {
    std::string left;
    if (world_.end_programs(patience) == sim::World::Outcome::ended) return left;
    for (const auto& host : world_.hosts()) {
        if (host->ghosts_running()) left.append(left.empty() ? "" : ", ").append(host->name());
    }
    return left;
}

void Programs::finish(Duration patience) {
    const std::string left = end_programs(patience);
    const std::vector<Problem> problems = std::exchange(problems_, {});
    for (const Problem& each : problems) {
        log_failure("sim", "program " + each.program + " of host " + each.host + " failed", each.failure);
    }
    if (!problems.empty()) problems.front().failure.raise();
    if (!left.empty()) throw AssertionFailed("programs do not end when they are asked to, on " + left);
}

}  // namespace lariat::testing
