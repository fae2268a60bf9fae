// SPDX-License-Identifier: MIT
// Clients and servers move more bytes than fit the windows between them, in either direction or in both, with Protocols
// and with coroutines. Readers pause and writers are told to; an end closes at once behind its last byte, ends only its
// own direction, waits for the peer, or aborts. Whatever befalls the network: what arrives is what was sent, as far as
// it came; who is told of an orderly end has everything; the end comes once, last; and what is begun when the network
// is whole arrives as a whole.
#include "transfer_ends.hpp"
#include <lariat/lariat.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace lariat::test {
namespace {

using namespace std::chrono_literals;

constexpr Duration quiet_from = 40s;

/// A server's ports, by who answers.
enum Port : std::uint16_t { for_protocols = 1, for_half_closeable_protocols, for_streams, for_streams_on_transports };

int serve(Trial& trial, Transfers& transfers, const std::string& name) {
    return trial.run_program(name, [&](Reactor& reactor) {
        insist([&] { return reactor.listen_tcp(for_protocols, mover_factory(trial, transfers, false)); });
        insist([&] { return reactor.listen_tcp(for_half_closeable_protocols, mover_factory(trial, transfers, true)); });
        const auto on_transport = as_protocol(serve_transfer, std::ref(trial), std::ref(transfers));
        insist([&] { return reactor.listen_tcp(for_streams_on_transports, on_transport); });
        Listener listener = insist([&] { return Listener(reactor, Address::any_ipv4(for_streams)); });
        return lariat::run(reactor, listener.serve(serve_transfer, std::ref(trial), std::ref(transfers)));
    });
}

/// What the two ends do, and which way bytes go.
struct Plan {
    Exit client, server;
    bool up, down;
    bool can_be_whole;  // nobody goes away before everything has arrived
};

constexpr Plan plans[] = {
    {Exit::closes, Exit::waits, true, false, true},           {Exit::waits, Exit::closes, false, true, true},
    {Exit::half_closes, Exit::half_closes, true, true, true}, {Exit::closes, Exit::half_closes, true, true, false},
    {Exit::half_closes, Exit::closes, true, true, false},     {Exit::aborts, Exit::half_closes, true, true, false},
    {Exit::half_closes, Exit::aborts, true, true, false},
};

Pattern draw_pattern(Random& random, bool some) {
    if (!some) return {};
    const std::uint64_t key = random.next();
    const std::uint64_t magnitude = random.between(0, 17);
    return {key, std::size_t(1) << magnitude | random.below(1u << magnitude)};
}

Transfer& draw_transfer(Trial& trial, Transfers& transfers, Random& random) {
    const bool quiet = trial.is_quiet();
    const Plan& plan = plans[random.below(quiet ? 3 : std::size(plans))];
    const Pattern up = draw_pattern(random, plan.up);
    const Pattern down = draw_pattern(random, plan.down);
    Transfer& transfer = transfers.add(trial.random("transfer " + std::to_string(transfers.count())));
    transfer.client.is_to(plan.client, up, down);
    transfer.server.is_to(plan.server, down, up);
    transfer.must_be_whole = quiet && plan.can_be_whole;
    return transfer;
}

Task<bool> transfer_once(Trial& trial, Transfers& transfers, Random random) {
    Address to = trial.world.hosts()[random.below(transfers.servers)]->addresses().front();
    Transfer& transfer = draw_transfer(trial, transfers, random);
    to.set_port(transfer.server.goes_both_ways() ? for_half_closeable_protocols : for_protocols);
    if (random.chance(500)) to.set_port(random.chance(500) ? for_streams : for_streams_on_transports);
    try {
        if (random.chance(500)) {
            co_await transfer_with_stream(trial, transfer, to);
        } else {
            co_await transfer_with_protocol(trial, transfer, to);
        }
    } catch (const Error&) {  // the network's, or it was aborted
    }
    co_return transfer.client.has_begun() && transfer.must_be_whole;
}

Task<> transfer_on(Trial& trial, Transfers& transfers, Random random) {
    for (int i = 0;; ++i) {
        if (co_await transfer_once(trial, transfers, random.fork(std::to_string(i)))) co_return;
        co_await sleep(std::chrono::milliseconds(random.between(1, 6'000)));
    }
}

Task<> transfer_several(TaskScope& scope, Trial& trial, Transfers& transfers, Random random) {
    spawn_some(scope, random, transfer_on, trial, transfers);
    co_return;
}

Task<> transfer_and_stay(Trial& trial, Transfers& transfers, Random random) {
    co_await with_scope(transfer_several, std::ref(trial), std::ref(transfers), random);
    while (transfers.any_under_way()) co_await sleep(1s);
}

int move_bytes(Trial& trial, Transfers& transfers, const std::string& name) {
    return trial.run_program(name, [&](Reactor& reactor) {
        return lariat::run(reactor, transfer_and_stay(trial, transfers, trial.random(name)));
    });
}

}  // namespace

void transfer(Trial& trial) {
    Random random = trial.random("hosts");
    const auto transfers = std::make_shared<Transfers>();
    transfers->servers = random.between(1, 2);
    const std::uint64_t clients = random.between(1, 2);
    std::vector<std::string> servers(transfers->servers);
    for (std::size_t i = 0; i < servers.size(); ++i) servers[i] = "server" + std::to_string(i);
    trial.run_hosts(servers, clients, quiet_from, [&trial, transfers](const std::string& host) {
        const bool serves = host.starts_with("server");
        return serves ? serve(trial, *transfers, host) : move_bytes(trial, *transfers, host);
    });
    transfers->require_whole(trial);
}

}  // namespace lariat::test
