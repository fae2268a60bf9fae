// SPDX-License-Identifier: MIT
// Runs many seeds in several processes and gathers what they found.
#pragma once

#include "trial.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace lariat::test {

struct SimRun {
    std::uint64_t seeds = 1000;
    std::uint64_t from = 1;
    int jobs = 1;
    std::string scenario;  // empty for each seed's turn of all
    bool twice = false;
    bool trace = false;
    bool until_failure = false;  // goes no further than the first one
};

[[nodiscard]] const Scenario* find_scenario(std::string_view name) noexcept;
/// "a, b, c".
[[nodiscard]] std::string scenario_names();

/// Prints a progress line on a terminal, a report per seed that went wrong, and a summary. 0 when all went well. A seed
/// that kills its process, or keeps it busy for ever, is reported as well, and the others are run all the same.
int run_seeds(const SimRun& run);

}  // namespace lariat::test
