// SPDX-License-Identifier: MIT
// What the reader sees of the echo benchmark: a table per cell, the budgets, and the same figures as JSON.
#pragma once

#include "../options.hpp"
#include "budgets.hpp"
#include "measure.hpp"

#include <ostream>
#include <string>
#include <vector>

namespace lariat::bench {

/// One line about the machine and what the columns mean.
void print_heading(const Options& options, const Placement& placement);
void print_cell(const EchoResult& result);
void print_budgets(const std::vector<Judgement>& judgements);
/// Both lariat backends beside each other, one line per cell and style.
void print_race(const std::vector<EchoResult>& results);

void write_json(std::ostream& out, const std::vector<EchoResult>& results, const std::vector<Judgement>& judgements,
                const Options& options, const Placement& placement);

}  // namespace lariat::bench
