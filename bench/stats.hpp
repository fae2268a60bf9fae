// SPDX-License-Identifier: MIT
// Medians and their spread, and ratios taken round by round. The machine is never quiet, so a figure is a median of
// interleaved rounds, and a comparison is the median of per-round ratios: noise that lasts longer than a round hits
// both sides.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace lariat::bench {

/// A median with the quartiles around it; all zero when nothing was measured.
struct Summary {
    double median = 0;
    double low = 0;
    double high = 0;
    std::size_t count = 0;
};

/// The value below which the fraction `q` of the sorted `values` lies, interpolated between neighbours.
inline double quantile(const std::vector<double>& values, double q) {
    if (values.empty()) return 0;
    const double place = q * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, values.size() - 1);
    return values[below] + (values[above] - values[below]) * (place - static_cast<double>(below));
}

/// Median and quartiles: the spread one noisy round cannot widen.
inline Summary summarize(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return {quantile(values, 0.5), quantile(values, 0.25), quantile(values, 0.75), values.size()};
}

/// Ratios of measurements made in the same round; rounds that one side lacks are left out.
inline Summary paired_ratio(const std::vector<double>& numerator, const std::vector<double>& denominator) {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < std::min(numerator.size(), denominator.size()); ++i)
        if (denominator[i] > 0 && numerator[i] > 0) ratios.push_back(numerator[i] / denominator[i]);
    return summarize(std::move(ratios));
}

}  // namespace lariat::bench
