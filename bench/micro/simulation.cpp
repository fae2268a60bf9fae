// SPDX-License-Identifier: MIT
// How much of a simulated network fits into a second: messages, and connections with nothing to say.
#include "simulation.hpp"

#include <lariat/io/sim/world.hpp>
#include <lariat/lariat.hpp>

#include <chrono>
#include <cstdio>

namespace lariat::bench {
namespace {

constexpr int messages = 200'000;
constexpr int idle_connections = 1000;
const char* const server_address = "10.0.0.1:7";

Task<> echo(TcpStream peer) {
    while (Buffer data = co_await peer.read_some()) co_await peer.write(std::move(data));
}

Task<> serve() {
    Listener listener(server_address);
    co_await listener.serve(echo);
}

/// Each round trip is two messages.
Task<> ask(int round_trips) {
    TcpStream stream = co_await connect(server_address);
    for (int i = 0; i < round_trips; ++i) {
        co_await stream.write("a message of thirty-two bytes...");
        co_await stream.read_exactly(32);
    }
}

Task<> listens(TcpStream stream) {
    while (Buffer data = co_await stream.read_some()) {}
}
Task<> stay(TaskScope& scope) {
    for (int i = 0; i < idle_connections; ++i) scope.spawn(listens, co_await connect(server_address));
}

/// Real seconds that `client` takes in a world of its own; negative when it did not do what was asked.
template <class F>
double seconds_of(F client, Duration virtual_time) {
    sim::World world(1);
    sim::Host& server = world.add_host("server", {"10.0.0.1"});
    sim::Host& other = world.add_host("client", {"10.0.0.2"});
    server.start("serve", [] { return run(serve()); });
    other.start("client", client);
    const auto begin = std::chrono::steady_clock::now();
    const auto outcome = world.run_until([&] { return other.status("client").has_value(); }, virtual_time);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    const bool idle = outcome == sim::World::Outcome::out_of_time || outcome == sim::World::Outcome::stuck;
    const bool good = idle ? !other.status("client") : other.status("client") == 0;
    return world.end_programs() == sim::World::Outcome::ended && good ? taken.count() : -1;
}

void print(const char* what, double figure, const char* unit, double budget, bool met) {
    std::printf("%-50s%9.*f %s  %.0f %s\n", what, figure < 100 ? 3 : 0, figure, unit, budget, met ? "met" : "missed");
}

}  // namespace

int measure_simulation() {
    const double busy = seconds_of([] { return run(ask(messages / 2)); }, std::chrono::hours(1));
    const double idle = seconds_of([] { return run(with_scope(stay)); }, std::chrono::hours(1));
    if (busy < 0 || idle < 0) return 1;
    print("simulation: messages of an echo, in a second", messages / busy, "  ", 300'000, messages / busy >= 300'000);
    print("simulation: 1000 idle connections, one hour", idle, "s ", 1, idle < 1);
    return 0;
}

}  // namespace lariat::bench
