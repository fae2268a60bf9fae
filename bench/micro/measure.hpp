// SPDX-License-Identifier: MIT
// Measuring a step that takes nanoseconds: many repetitions in a window, many windows, a quantile of those; and the
// allocations of one repetition.
#pragma once

#include "../stats.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <utility>
#include <vector>

namespace lariat::bench {

/// Allocations of this program so far: operator new in all its forms.
std::uint64_t allocations() noexcept;

/// Keeps the compiler from leaving the computation of `value` out.
template <class T>
void keep(const T& value) {
    asm volatile("" : : "g"(&value) : "memory");
}

struct Cost {
    double nanoseconds;
    double allocations;
};

inline double lower_quartile(std::vector<double> values) { return summarize(std::move(values)).low; }

/// `step()` is one repetition.
template <class F>
Cost cost_of(F step) {
    constexpr int repetitions = 2000, windows = 400;
    for (int i = 0; i < repetitions; ++i) step();
    std::vector<double> times;
    const std::uint64_t before = allocations();
    std::uint64_t noise = 0;
    for (int window = 0; window < windows; ++window) {
        const auto start = std::chrono::steady_clock::now();
        for (int i = 0; i < repetitions; ++i) step();
        const auto end = std::chrono::steady_clock::now();
        const std::uint64_t own = allocations();
        times.push_back(std::chrono::duration<double, std::nano>(end - start).count() / repetitions);
        noise += allocations() - own;
    }
    const double count = static_cast<double>(allocations() - before - noise) / (double{repetitions} * windows);
    return {lower_quartile(std::move(times)), count};
}

/// The same of one of the `times` steps that `body()` makes, whatever surrounds them being small beside them.
/// Allocations are those of the window with the fewest.
template <class F>
Cost cost_of_steps(int times, int windows, F body) {
    for (int i = 0; i < 4; ++i) body();
    std::vector<double> all;
    all.reserve(static_cast<std::size_t>(windows));
    std::uint64_t least = ~std::uint64_t{0};
    for (int i = 0; i < windows; ++i) {
        const std::uint64_t before = allocations();
        const auto start = std::chrono::steady_clock::now();
        body();
        const auto end = std::chrono::steady_clock::now();
        least = std::min(least, allocations() - before);
        all.push_back(std::chrono::duration<double, std::nano>(end - start).count() / times);
    }
    return {lower_quartile(std::move(all)), static_cast<double>(least) / times};
}

/// A line of the table. A negative budget is none.
inline void print_line(const char* step, Cost cost, double ns_budget, double allocation_budget) {
    const auto verdict = [](double figure, double budget) {
        return budget < 0 ? "" : figure <= budget ? "met" : "missed";
    };
    const auto print = [&](double figure, double budget, const char* form) {
        std::printf(form, figure);
        if (budget < 0) {
            std::printf("%12s", "");
        } else {
            std::printf("  %3.0f %-6s", budget, verdict(figure, budget));
        }
    };
    std::printf("%-50s", step);
    print(cost.nanoseconds, ns_budget, "%7.1f");
    print(cost.allocations, allocation_budget, "%10.2f");
    std::puts("");
}

}  // namespace lariat::bench
