// SPDX-License-Identifier: MIT
// The budgets that the echo benchmark can judge, each with its figure. A verdict follows from the median alone; a
// missed budget is printed as missed.
#pragma once

#include "measure.hpp"

#include <string>
#include <vector>

namespace lariat::bench {

enum class Verdict { met, missed, not_judged };

struct Judgement {
    std::string budget;  // what is promised, with its limit
    std::string cell;
    Verdict verdict = Verdict::not_judged;
    Summary figure;
    double limit = 0;
    std::string lacks;  // the server there are no figures of
    std::string remark;
};

std::vector<Judgement> judge_echo(const std::vector<EchoResult>& results);
const char* verdict_text(Verdict verdict);

}  // namespace lariat::bench
