// SPDX-License-Identifier: MIT
// Scripts that are to see the same on every backend.
#pragma once

#include <lariat/io/make_backend.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

namespace lariat::test {

/// What a script has seen, one line a step.
class SeenLines {
public:
    /// Texts and numbers, with a space behind each.
    template <class... A>
    void say(const A&... parts) {
        std::string line;
        const auto add = [&](const auto& part) {
            if constexpr (std::is_arithmetic_v<std::remove_cvref_t<decltype(part)>>) {
                line += std::to_string(part) + " ";
            } else {
                line += std::string(part) + " ";
            }
        };
        (add(parts), ...);
        lines_.push_back(line);
    }
    [[nodiscard]] std::vector<std::string> take() noexcept { return std::move(lines_); }

private:
    std::vector<std::string> lines_;
};

/// The first line that differs, and what should be there; empty when all are the same.
inline std::string difference(const std::vector<std::string>& got, const std::vector<std::string>& expected) {
    for (std::size_t i = 0; i < std::max(got.size(), expected.size()); ++i) {
        const std::string a = i < got.size() ? got[i] : "nothing";
        const std::string b = i < expected.size() ? expected[i] : "nothing";
        if (a == b) continue;
        std::string before;
        for (std::size_t j = i - std::min<std::size_t>(i, 8); j < i; ++j) before += expected[j] + "| ";
        return "line " + std::to_string(i) + ", after " + before + ": " + a + "; epoll: " + b;
    }
    return {};
}

/// Runs `Script(kind, seed).run(steps)` for each of the first `seeds` seeds on every backend; epoll is the measure.
template <class Script>
void require_same_everywhere(std::uint64_t seeds, int steps) {
    using io::BackendKind;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        CAPTURE(seed);
        const std::vector<std::string> expected = Script(BackendKind::epoll, seed).run(steps);
        CHECK(difference(Script(BackendKind::sim, seed).run(steps), expected) == "");
        if (io::why_no_uring()) continue;
        CHECK(difference(Script(BackendKind::uring, seed).run(steps), expected) == "");
    }
}

}  // namespace lariat::test
