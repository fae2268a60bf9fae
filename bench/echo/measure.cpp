// SPDX-License-Identifier: MIT
#include "measure.hpp"

#include "../process.hpp"
#include "load.hpp"

#include <memory>

namespace lariat::bench {
namespace {

// Below the first the server had time to spare, above the second the client had none.
constexpr double server_has_time_below = 0.90;
constexpr double client_is_full_above = 0.95;
// More waiting for a processor than this, and something else was running on it.
constexpr double disturbed_above = 0.10;

/// One server with its connections, for the time of one cell.
struct Contestant {
    EchoRow row;
    std::unique_ptr<ServerProcess> process;
    std::unique_ptr<EchoLoad> load;

    void guard(void (Contestant::*step)(std::uint64_t), std::uint64_t argument) {
        if (!row.failure.empty()) return;
        try {
            (this->*step)(argument);
        } catch (const BenchError& error) {
            row.failure = error.what();
        }
    }
    void verify(std::uint64_t) { load->verify(); }
    void warm_up(std::uint64_t duration_ns) { load->run(duration_ns); }
    void window(std::uint64_t duration_ns) {
        const std::uint64_t allocations = process->page().allocations();
        const std::uint64_t waited = process->waited_ns() + thread_waited_ns();
        const std::uint64_t cpu = process->cpu_ns();
        const LoadWindow seen = load->run(duration_ns);
        const auto used = static_cast<double>(process->cpu_ns() - cpu);
        const auto messages = static_cast<double>(seen.messages);
        const auto wall = static_cast<double>(seen.wall_ns);
        row.cpu_ns_per_message.push_back(used / messages);
        row.messages_per_second.push_back(messages * 1e9 / wall);
        row.server_busy.push_back(used / wall);
        row.client_busy.push_back(static_cast<double>(seen.cpu_ns) / wall);
        row.waited.push_back(static_cast<double>(process->waited_ns() + thread_waited_ns() - waited) / wall);
        row.allocations += static_cast<double>(process->page().allocations() - allocations);
        row.messages += messages;
    }
};

std::unique_ptr<Contestant> start(const EchoServer& server, const EchoCell& cell, const Placement& placement) {
    auto contestant = std::make_unique<Contestant>();
    contestant->row.server = server.name;
    try {
        contestant->process = std::make_unique<ServerProcess>(server.command, placement.server_cpu);
        contestant->load = std::make_unique<EchoLoad>(contestant->process->port(), cell.connections, cell.bytes);
    } catch (const BenchError& error) {
        contestant->row.failure = error.what();
    }
    return contestant;
}

}  // namespace

std::string EchoCell::name() const {
    const std::string size = bytes >= 1024 ? std::to_string(bytes / 1024) + "KiB" : std::to_string(bytes) + "B";
    return "echo-" + std::to_string(connections) + "x" + size;
}

const EchoRow* EchoResult::row(const std::string& server) const {
    for (const auto& candidate : rows)
        if (candidate.server == server && candidate.failure.empty()) return &candidate;
    return nullptr;
}

Placement place_client() {
    const std::vector<int> cpus = allowed_cpus();
    Placement placement;
    if (cpus.empty()) return placement;
    placement.server_cpu = cpus.front();
    placement.client_cpu = cpus.size() > 1 ? cpus[1] : cpus.front();
    pin_to_cpu(placement.client_cpu);
    raise_priority();
    return placement;
}

std::vector<EchoCell> echo_cells() {
    std::vector<EchoCell> cells;
    for (const std::size_t bytes : {std::size_t{64}, std::size_t{16384}})
        for (const std::size_t connections : {1, 8, 64, 1000}) cells.push_back({connections, bytes});
    return cells;
}

std::vector<EchoServer> echo_servers(const Options& options, std::vector<std::string>& missing) {
    const std::string folder = program_folder();
    const std::string ours = folder + "echo/lariat_echo_server";
    std::vector<EchoServer> all = {
        {"raw-epoll", {folder + "baseline/raw_epoll_echo"}},
        {"raw-uring", {folder + "baseline/raw_uring_echo"}},
        {"protocol-epoll", {ours, "--style", "protocol", "--backend", "epoll"}},
        {"protocol-uring", {ours, "--style", "protocol", "--backend", "uring"}},
        {"task-epoll", {ours, "--style", "task", "--backend", "epoll"}},
        {"task-uring", {ours, "--style", "task", "--backend", "uring"}},
    };
    std::vector<EchoServer> chosen;
    for (auto& server : all) {
        if (!passes(options.servers, server.name)) continue;
        if (is_program(server.command.front()))
            chosen.push_back(std::move(server));
        else
            missing.push_back(server.name);
    }
    for (const auto& extra : options.extra) chosen.push_back({extra.name, extra.command});
    return chosen;
}

EchoResult measure_echo(const EchoCell& cell, const std::vector<EchoServer>& servers, const Options& options,
                        const Placement& placement, Progress& progress, const std::string& label) {
    std::vector<std::unique_ptr<Contestant>> contestants;
    for (const auto& server : servers) {
        progress.detail(label + "  starting " + server.name);
        contestants.push_back(start(server, cell, placement));
        contestants.back()->guard(&Contestant::verify, 0);
        contestants.back()->guard(&Contestant::warm_up, options.warm_up_ns);
    }
    for (unsigned round = 0; round < options.rounds; ++round) {
        for (std::size_t i = 0; i < contestants.size(); ++i) {
            // Another server begins each round, so none always follows the same neighbour's caches.
            Contestant& contestant = *contestants[(i + round) % contestants.size()];
            progress.detail(label + "  round " + std::to_string(round + 1) + "/" + std::to_string(options.rounds) + "  "
                            + contestant.row.server);
            contestant.guard(&Contestant::window, options.window_ns);
        }
    }
    EchoResult result{cell, {}};
    for (auto& contestant : contestants) {
        contestant->guard(&Contestant::verify, 0);
        EchoRow& row = contestant->row;
        row.counts_allocations = contestant->process && contestant->process->page().counts();
        row.load_limited = placement.shared()
                           || (summarize(row.server_busy).median < server_has_time_below
                               && summarize(row.client_busy).median > client_is_full_above);
        row.disturbed = !placement.shared() && summarize(row.waited).median > disturbed_above;
        result.rows.push_back(std::move(row));
    }
    return result;
}

}  // namespace lariat::bench
