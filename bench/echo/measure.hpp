// SPDX-License-Identifier: MIT
// The echo workload: every server in turn, window by window, in every cell (connections x message size). All servers of
// a cell are up at once with their connections open; only the one being measured has traffic, the others sleep.
#pragma once

#include "../options.hpp"
#include "../progress.hpp"
#include "../stats.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace lariat::bench {

struct EchoServer {
    std::string name;
    std::vector<std::string> command;
};

struct EchoCell {
    std::size_t connections;
    std::size_t bytes;
    std::string name() const;
};

/// The windows of one server in one cell; all vectors are indexed by round.
struct EchoRow {
    std::string server;
    std::vector<double> cpu_ns_per_message;
    std::vector<double> messages_per_second;
    std::vector<double> server_busy;  // processor time over wall time
    std::vector<double> client_busy;
    std::vector<double> waited;  // time either side stood ready while other work had its processor, over wall time
    bool counts_allocations = false;
    double allocations = 0;  // over all measured windows
    double messages = 0;
    bool load_limited = false;  // the client was the limit: throughput says nothing about the server
    bool disturbed = false;     // other work on the machine took a good part of the windows
    std::string failure;        // not empty: what went wrong, and there are no figures

    double allocations_per_message() const { return messages > 0 ? allocations / messages : 0; }
};

struct EchoResult {
    EchoCell cell;
    std::vector<EchoRow> rows;

    const EchoRow* row(const std::string& server) const;
};

/// Where the servers and the client run; the same processor for both when there is only one.
struct Placement {
    int server_cpu = -1;
    int client_cpu = -1;
    bool shared() const { return server_cpu == client_cpu; }
};

/// Pins the calling thread to the client's processor, raises its priority if permitted, and says where servers go.
Placement place_client();

std::vector<EchoCell> echo_cells();
/// The servers that are built, baselines first, and `missing` gets the names of those that are not.
std::vector<EchoServer> echo_servers(const Options& options, std::vector<std::string>& missing);

EchoResult measure_echo(const EchoCell& cell, const std::vector<EchoServer>& servers, const Options& options,
                        const Placement& placement, Progress& progress, const std::string& label);

}  // namespace lariat::bench
