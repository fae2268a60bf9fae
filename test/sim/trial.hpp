// SPDX-License-Identifier: MIT
// Trial: one seed's run of a scenario: a world, the faults that befall it, and what was found wrong.
#pragma once

#include <lariat/io/base/random.hpp>
#include <lariat/io/sim/world.hpp>
#include <lariat/runtime/reactor.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lariat::test {

class Trial {
public:
    explicit Trial(std::uint64_t seed);
    Trial(const Trial&) = delete;
    Trial& operator=(const Trial&) = delete;
    ~Trial() = default;

    /// A generator for the part of the scenario called `name`.
    [[nodiscard]] Random random(std::string_view name) const noexcept { return plan_.fork(name); }

    /// Draws what the links between all hosts are like.
    void draw_links();
    /// Draws partitions, crashes and restarts until `quiet_from`, when everything is whole again and stays so.
    void draw_faults(Duration quiet_from);
    /// Runs until `done()`, ends all programs, and requires that none failed.
    void run(Function<bool()> done, Duration at_most);
    /// At the end of a program: nothing of `reactor`'s may be left over.
    void require_nothing_left(Reactor& reactor, std::string_view program);

    void require(bool holds, std::string_view what) {
        if (!holds) violations.emplace_back(what);
    }

    sim::World world;
    std::vector<std::string> violations;
    std::uint64_t digest = 0xcbf29ce484222325;  // of every line of the trace; FNV-1a
    bool print_trace = false;
    bool all_ended = false;

private:
    void befall(Random& random);

    Random plan_;
};

struct Scenario {
    std::string_view name;
    void (*run)(Trial& trial);
};

void echo_cluster(Trial& trial);

}  // namespace lariat::test
