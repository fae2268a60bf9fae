// SPDX-License-Identifier: MIT
#include <lariat/testing/pump.hpp>

#include <lariat/proto/tcp_transport.hpp>
#include <lariat/testing/assertions.hpp>

namespace lariat::testing {
namespace {

// Protocols that are not done by then answer each other for ever.
constexpr int most_rounds = 10'000;

}  // namespace

bool IOPump::pump() { return clock_->turn(); }

bool IOPump::flush() {
    bool moved = false;
    for (int round = 0; round < most_rounds; ++round) {
        if (pump()) {
            moved = true;
        } else if (clock_->is_idle()) {
            return moved;
        }
    }
    throw AssertionFailed("the protocols do not come to rest: each answers the other");
}

IOPump connect(ProtocolPtr server, ProtocolPtr client, std::shared_ptr<Clock> clock, Greet greet) {
    const Address server_address("10.0.0.1:7");
    const Address client_address("10.0.0.2:49152");
    const auto [server_fd, client_fd] = clock->memory().connected_pair(server_address, client_address);
    // connection_made() is called by the loop, as always, and what it writes waits for the first round.
    clock->Reactor::call_later(Duration::zero(), [&, s = server_fd, c = client_fd] {
        TcpTransport::serve(*clock, s, client_address, std::move(server), 0);
        TcpTransport::serve(*clock, c, server_address, std::move(client), 1);
    });
    clock->memory().hold(true);
    clock->turn();
    clock->memory().hold(false);
    IOPump pump(std::move(clock));
    if (greet == Greet::yes) pump.flush();
    return pump;
}

}  // namespace lariat::testing
