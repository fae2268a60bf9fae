// SPDX-License-Identifier: MIT
// Steps of coroutines: what one of many in a row costs, measured inside a running reactor.
#pragma once

#include "measure.hpp"
#include <lariat/coro/task.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace lariat::bench {

inline constexpr int steps_per_window = 2000;

struct TaskStep {
    const char* name;
    Task<> (*body)();  // makes steps_per_window of them, the coroutine around them being small beside them
    double budget;     // negative for none
};

inline Task<> measure(Task<> (*body)(), Cost& cost) {
    constexpr int windows = 500;
    std::vector<double> all;
    all.reserve(windows);
    for (int i = 0; i < 4; ++i) co_await body();
    std::uint64_t least = ~std::uint64_t{0};
    for (int i = 0; i < windows; ++i) {
        const std::uint64_t before = allocations();
        const auto start = std::chrono::steady_clock::now();
        co_await body();
        const auto end = std::chrono::steady_clock::now();
        least = std::min(least, allocations() - before);
        all.push_back(std::chrono::duration<double, std::nano>(end - start).count() / steps_per_window);
    }
    cost.allocations = static_cast<double>(least) / steps_per_window;
    cost.nanoseconds = lower_quartile(std::move(all));
}

/// A line each, with no allocation for a budget.
inline Task<> print_steps(std::span<const TaskStep> steps) {
    for (const TaskStep& step : steps) {
        Cost cost{};
        co_await measure(step.body, cost);
        print_line(step.name, cost, step.budget, 0);
    }
}

}  // namespace lariat::bench
