// SPDX-License-Identifier: MIT
// IOPump: two protocols, connected inside the process and moved forward one round at a time (Twisted:
// twisted.test.iosim). Their transports are the real ones of a TCP connection, on a reactor in memory: producers are
// paused, half-closes are heard and protocols are called as on a network, and never from inside a write().
//
//     Connected pair = connected_server_and_client(std::make_shared<Echo>(), std::make_shared<Caller>());
//     pair.client->transport().write("hello");
//     pair.pump.flush();
//
// Threads: one.
#pragma once

#include <lariat/io/base/clock.hpp>
#include <lariat/proto/protocol.hpp>
#include <lariat/testing/clock.hpp>

#include <memory>
#include <utility>

namespace lariat::testing {

/// Moves what the protocols on a Clock have written. A copy moves the same.
class IOPump {
public:
    /// Lifetime: `clock` must outlive it.
    explicit IOPump(Clock& clock) noexcept : clock_(&clock) {}
    /// With a clock of its own.
    explicit IOPump(std::shared_ptr<Clock> clock) noexcept : clock_(clock.get()), owner_(std::move(clock)) {}

    /// One round: what was written before it is delivered, timers that are due fire, and what either causes waits for
    /// the next round. True when something was delivered or closed.
    bool pump();
    /// Rounds until nothing moves any more; true when something did. Errors: AssertionFailed when it never ends.
    bool flush();
    /// Lets time pass: what is due fires, and what is written because of it is delivered, until nothing moves.
    void advance(Duration by) { clock_->advance(by); }

    /// The reactor of both protocols.
    [[nodiscard]] Clock& clock() const noexcept { return *clock_; }

private:
    Clock* clock_;
    std::shared_ptr<Clock> owner_;
};

/// A server's and a client's protocol with a connection between them. The reactor lives as long as `pump`, and ends the
/// connection when it goes.
template <class Server = Protocol, class Client = Protocol>
struct Connected {
    std::shared_ptr<Client> client;
    std::shared_ptr<Server> server;
    IOPump pump;
};

/// Whether what the protocols say in connection_made() is delivered before the test goes on.
enum class Greet : bool { no, yes };

/// Makes the connection between them on `clock`: connection_made() of the server's, then of the client's.
IOPump connect(ProtocolPtr server, ProtocolPtr client, std::shared_ptr<Clock> clock = std::make_shared<Clock>(),
               Greet greet = Greet::yes);

template <class Server, class Client>
[[nodiscard]] Connected<Server, Client> connected_server_and_client(
    std::shared_ptr<Server> server, std::shared_ptr<Client> client,
    std::shared_ptr<Clock> clock = std::make_shared<Clock>(), Greet greet = Greet::yes) {
    IOPump pump = connect(server, client, std::move(clock), greet);
    return {std::move(client), std::move(server), std::move(pump)};
}

}  // namespace lariat::testing
