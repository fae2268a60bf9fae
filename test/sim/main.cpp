// SPDX-License-Identifier: MIT
// lariat-sim: runs scenarios on simulated networks, one run per seed, and says which seeds went wrong and how to see
// them again. The digest of all runs depends on the seeds alone, neither on the machine nor on the compiler.
#include "runner.hpp"

#include <CLI/CLI.hpp>

#include <exception>

using namespace lariat::test;

int main(int argc, char** argv) try {
    CLI::App app("Runs scenarios on a simulated network, one run per seed.", "lariat-sim");
    SimRun run;
    app.add_option("--seeds", run.seeds, "how many seeds to run")->capture_default_str();
    app.add_option("--from", run.from, "the first seed")->capture_default_str();
    app.add_option("--jobs", run.jobs, "processes to share the work")->check(CLI::Range(1, 256))->capture_default_str();
    app.add_option("--scenario", run.scenario, "only this scenario");
    app.add_flag("--twice", run.twice, "run each seed twice and compare their traces");
    app.add_flag("--until-failure", run.until_failure, "go no further than the first seed that fails");
    app.add_flag("--trace", run.trace, "print every event, in this process");
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp& help) {
        return app.exit(help);
    } catch (const CLI::ParseError& error) {
        std::fprintf(stderr, "lariat-sim: %s\n", error.what());
        return 2;
    }
    if (!run.scenario.empty() && !find_scenario(run.scenario)) {
        std::fprintf(stderr, "lariat-sim: there is no scenario '%s'; there are: %s\n", run.scenario.c_str(),
                     scenario_names().c_str());
        return 2;
    }
    return run_seeds(run);
} catch (const std::exception& error) {
    std::fprintf(stderr, "lariat-sim: %s\n", error.what());
    return 1;
}
