// SPDX-License-Identifier: MIT
// Two hosts on a simulated network: a server at 10.0.0.1 and a client at 10.0.0.2, without jitter and without short
// transfers, so that times can be told exactly.
#pragma once

#include <lariat/coro/connect.hpp>
#include <lariat/coro/listener.hpp>
#include <lariat/coro/run.hpp>
#include <lariat/coro/sleep.hpp>
#include <lariat/io/sim/world.hpp>
#include <lariat/test/support/coro_world.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <deque>
#include <string>
#include <utility>

namespace lariat::test {

class TwoHosts {
public:
    static constexpr Duration latency = std::chrono::milliseconds(10);

    explicit TwoHosts(std::uint64_t seed = 1)
        : world(seed), server(world.add_host("server", {"10.0.0.1"})), client(world.add_host("client", {"10.0.0.2"})) {
        world.short_transfers(0);
        world.default_link(sim::LinkOptions().latency(latency).jitter(Duration::zero()));
    }
    TwoHosts(const TwoHosts&) = delete;
    TwoHosts& operator=(const TwoHosts&) = delete;
    ~TwoHosts() { CHECK(world.end_programs() == sim::World::Outcome::ended); }

    /// A server program whose connections are served by `handler(stream, arguments...)`.
    template <class F, class... A>
    void serve(F handler, A... arguments) {
        server.start("serve", [=] { return run(listen_and_serve<F, A...>(handler, arguments...)); });
    }
    /// Runs `function(arguments...)`, a Task, as a program of the client to its end, and gives what record() says of
    /// it.
    template <class F, class... A>
    std::string ask(F function, A... arguments) {
        const std::string& outcome = begin(function, arguments...);
        CHECK(world.run_until([&] { return outcome != "nothing yet"; }) == sim::World::Outcome::reached);
        return outcome;
    }
    /// The same without waiting: "nothing yet" until it has ended.
    template <class F, class... A>
    const std::string& begin(F function, A... arguments) {
        std::string& outcome = outcomes_.emplace_back("nothing yet");
        client.start("ask", [=, &outcome] { return run(record(outcome, function(arguments...))); });
        return outcome;
    }
    [[nodiscard]] double seconds() const { return std::chrono::duration<double>(world.elapsed()).count(); }

    sim::World world;
    sim::Host& server;
    sim::Host& client;

private:
    std::deque<std::string> outcomes_;  // longer than the programs

    template <class F, class... A>
    static Task<> listen_and_serve(F handler, A... arguments) {
        Listener listener("10.0.0.1:7");
        co_await listener.serve(handler, arguments...);
    }
};

inline Task<> echo_all(TcpStream peer) {
    while (Buffer data = co_await peer.read_some()) co_await peer.write(std::move(data));
}

}  // namespace lariat::test
