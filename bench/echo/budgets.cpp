// SPDX-License-Identifier: MIT
#include "budgets.hpp"

#include <cstdio>

namespace lariat::bench {
namespace {

enum class Quantity { cpu, throughput };

struct Budget {
    const char* text;
    Quantity quantity;
    const char* server;
    const char* against;
    double limit;
    std::size_t least_connections;
    std::size_t only_bytes;  // 0: every size
};

constexpr Budget budgets[] = {
    {"Protocol on uring, CPU per message, at most 1.05 x raw uring", Quantity::cpu, "protocol-uring", "raw-uring", 1.05,
     1, 0},
    {"Protocol on epoll, CPU per message, at most 1.08 x raw epoll", Quantity::cpu, "protocol-epoll", "raw-epoll", 1.08,
     1, 0},
    {"co_await on uring, CPU per message, at most 1.05 x Protocol", Quantity::cpu, "task-uring", "protocol-uring", 1.05,
     1, 0},
    {"Protocol on uring, throughput, at least 1.10 x raw epoll", Quantity::throughput, "protocol-uring", "raw-epoll",
     1.10, 8, 64},
    {"Protocol on uring, 16 KiB throughput, at least 0.97 x raw epoll", Quantity::throughput, "protocol-uring",
     "raw-epoll", 0.97, 1, 16384},
};

const std::vector<double>& values(const EchoRow& row, Quantity quantity) {
    return quantity == Quantity::cpu ? row.cpu_ns_per_message : row.messages_per_second;
}

std::string cpu_remark(const EchoRow& row, const EchoRow& base) {
    char text[96];
    std::snprintf(text, sizeof text, "the client was the limit; %.3f x the messages per CPU time",
                  paired_ratio(base.cpu_ns_per_message, row.cpu_ns_per_message).median);
    return text;
}

/// How far the bare liburing server gets by the same measure: what the kernel allows.
std::string bare_remark(const EchoResult& result, const EchoRow& base) {
    const EchoRow* bare = result.row("raw-uring");
    if (bare == nullptr || bare->load_limited) return {};
    char text[64];
    std::snprintf(text, sizeof text, "raw uring: %.3f",
                  paired_ratio(bare->messages_per_second, base.messages_per_second).median);
    return text;
}

Judgement judge(const Budget& budget, const EchoResult& result) {
    Judgement judgement;
    judgement.budget = budget.text;
    judgement.cell = result.cell.name();
    judgement.limit = budget.limit;
    const EchoRow* row = result.row(budget.server);
    const EchoRow* base = result.row(budget.against);
    if (row == nullptr || base == nullptr) {
        judgement.lacks = row == nullptr ? budget.server : budget.against;
        return judgement;
    }
    if (budget.quantity == Quantity::throughput && (row->load_limited || base->load_limited)) {
        judgement.remark = cpu_remark(*row, *base);
        return judgement;
    }
    judgement.figure = paired_ratio(values(*row, budget.quantity), values(*base, budget.quantity));
    const bool met = budget.quantity == Quantity::cpu ? judgement.figure.median <= budget.limit
                                                      : judgement.figure.median >= budget.limit;
    judgement.verdict = met ? Verdict::met : Verdict::missed;
    if (budget.quantity == Quantity::throughput) judgement.remark = bare_remark(result, *base);
    if (row->disturbed || base->disturbed) judgement.remark += judgement.remark.empty() ? "disturbed" : ", disturbed";
    return judgement;
}

Judgement judge_allocations(const EchoResult& result, const char* server) {
    Judgement judgement;
    judgement.budget = "allocations per message in steady state, 0";
    judgement.cell = result.cell.name() + " " + server;
    const EchoRow* row = result.row(server);
    if (row == nullptr || !row->counts_allocations) {
        judgement.lacks = server;
        return judgement;
    }
    const double figure = row->allocations_per_message();
    judgement.figure = {figure, figure, figure, 1};
    judgement.verdict = row->allocations > 0 ? Verdict::missed : Verdict::met;
    if (row->allocations > 0) judgement.remark = std::to_string(static_cast<long long>(row->allocations)) + " in all";
    return judgement;
}

}  // namespace

std::vector<Judgement> judge_echo(const std::vector<EchoResult>& results) {
    std::vector<Judgement> judgements;
    for (const auto& budget : budgets)
        for (const auto& result : results)
            if (result.cell.connections >= budget.least_connections
                && (budget.only_bytes == 0 || budget.only_bytes == result.cell.bytes))
                judgements.push_back(judge(budget, result));
    for (const auto& result : results)
        for (const char* server : {"protocol-epoll", "protocol-uring", "task-epoll", "task-uring"})
            judgements.push_back(judge_allocations(result, server));
    return judgements;
}

const char* verdict_text(Verdict verdict) {
    return verdict == Verdict::met ? "met" : verdict == Verdict::missed ? "missed" : "not judged";
}

}  // namespace lariat::bench
