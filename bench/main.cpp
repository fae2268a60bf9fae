// SPDX-License-Identifier: MIT
// lariat-bench: runs the workloads, prints their tables and judges the budgets. Missed budgets do not change the exit
// status: timing is never a test. Status 1 means that something could not be measured, 2 a wrong command line.
#include "echo/budgets.hpp"
#include "echo/measure.hpp"
#include "echo/report.hpp"
#include "options.hpp"
#include "process.hpp"

#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>

namespace lariat::bench {
namespace {

std::vector<EchoCell> chosen_cells(const Options& options) {
    std::vector<EchoCell> cells;
    for (const auto& cell : echo_cells())
        if (passes(options.only, cell.name())) cells.push_back(cell);
    return cells;
}

bool enough_descriptors(const EchoCell& cell, std::size_t servers) {
    const std::uint64_t needed = (cell.connections + 8) * servers + 32;
    const std::uint64_t limit = raise_descriptor_limit();
    if (needed <= limit) return true;
    std::fprintf(stderr, "%s left out: it needs %llu descriptors, the limit is %llu\n", cell.name().c_str(),
                 static_cast<unsigned long long>(needed), static_cast<unsigned long long>(limit));
    return false;
}

bool any_failure(const std::vector<EchoResult>& results) {
    for (const auto& result : results)
        for (const auto& row : result.rows)
            if (!row.failure.empty()) return true;
    return false;
}

int list(const Options& options) {
    std::vector<std::string> missing;
    std::puts("cells:");
    for (const auto& cell : chosen_cells(options)) std::printf("  %s\n", cell.name().c_str());
    std::puts("servers:");
    for (const auto& server : echo_servers(options, missing)) std::printf("  %s\n", server.name.c_str());
    for (const auto& name : missing) std::printf("  %s (not built)\n", name.c_str());
    return 0;
}

int measure(const Options& options) {
    std::vector<std::string> missing;
    const auto servers = echo_servers(options, missing);
    const auto cells = chosen_cells(options);
    if (cells.empty()) throw UsageError("no cell matches --only '" + options.only + "'; see --list");
    if (servers.empty()) throw UsageError("no server matches --servers '" + options.servers + "'; see --list");
    const bool json_only = options.json_file == "-";
    std::ofstream file;
    if (!options.json_file.empty() && !json_only) {
        file.open(options.json_file);
        if (!file) throw UsageError("cannot write to '" + options.json_file + "'");
    }
    const Placement placement = place_client();
    if (!json_only) print_heading(options, placement);
    for (const auto& name : missing) std::fprintf(stderr, "%s is not built and not measured\n", name.c_str());

    Progress progress;
    std::vector<EchoResult> results;
    const double cell_seconds = static_cast<double>(servers.size())
                                * static_cast<double>(options.warm_up_ns + options.rounds * options.window_ns) / 1e9;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        if (!enough_descriptors(cells[i], servers.size())) continue;
        char left[32];
        std::snprintf(left, sizeof left, "%.0f s left", cell_seconds * static_cast<double>(cells.size() - i));
        const std::string label = "[" + std::to_string(i + 1) + "/" + std::to_string(cells.size()) + "] "
                                  + cells[i].name() + ", about " + left;
        progress.step(label);
        results.push_back(measure_echo(cells[i], servers, options, placement, progress, label));
        progress.clear();
        if (!json_only) print_cell(results.back());
    }
    const auto judgements = judge_echo(results);
    if (!json_only) print_budgets(judgements);
    if (json_only)
        write_json(std::cout, results, judgements, options, placement);
    else if (file.is_open())
        write_json(file, results, judgements, options, placement);
    return any_failure(results) || results.size() < cells.size() ? 1 : 0;
}

int race(Options options) {
    options.servers = "protocol,task";
    std::vector<std::string> missing;
    const auto servers = echo_servers(options, missing);
    if (servers.empty()) {
        std::fputs("lariat-bench: race needs lariat_echo_server, which is not built\n", stderr);
        return 1;
    }
    const std::vector<EchoCell> cells = {{1, 64}, {64, 64}, {64, 16384}};
    const Placement placement = place_client();
    raise_descriptor_limit();
    options.rounds = 5;
    // A fifth of a server's share is warm-up, as long as one window of five.
    const double share = options.race_seconds / static_cast<double>(cells.size() * servers.size());
    options.window_ns = static_cast<std::uint64_t>(share / (options.rounds + 1) * 1e9);
    options.warm_up_ns = options.window_ns;
    Progress progress;
    std::vector<EchoResult> results;
    for (const auto& cell : cells)
        results.push_back(measure_echo(cell, servers, options, placement, progress, "race " + cell.name()));
    progress.clear();
    print_race(results);
    return any_failure(results) ? 1 : 0;
}

int run(int argc, char** argv) {
    const Options options = parse_options(argc, argv);
    std::signal(SIGPIPE, SIG_IGN);
    switch (options.mode) {
    case Mode::help: std::fputs(usage_text(), stdout); return 0;
    case Mode::list: return list(options);
    case Mode::race: return race(options);
    case Mode::measure: return measure(options);
    }
    return 2;
}

}  // namespace
}  // namespace lariat::bench

int main(int argc, char** argv) {
    try {
        return lariat::bench::run(argc, argv);
    } catch (const lariat::bench::UsageError& error) {
        std::fprintf(stderr, "lariat-bench: %s\n", error.what());
        return 2;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "lariat-bench: %s\n", error.what());
        return 1;
    }
}
