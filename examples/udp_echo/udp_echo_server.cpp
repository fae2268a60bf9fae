// SPDX-License-Identifier: MIT
// Sends every datagram back to where it came from. usage: udp_echo_server PORT; 0 lets the kernel choose.
#include "../echo/port_argument.hpp"
#include <lariat/lariat.hpp>

#include <cstdio>

using namespace lariat;

struct Echo : DatagramProtocol {
    void datagram_received(Bytes datagram, const Address& from) override {
        try {
            transport().write(datagram, from);
        } catch (const Error& error) {  // no room to send, no way to get there: as good as lost on the way
            log(LogLevel::info, "echo", from.str() + " gets no answer: " + error.what());
        }
    }
};

int main(int argc, char** argv) try {
    Reactor reactor;
    const auto port =
        reactor.listen_udp(port_argument(argc, argv), std::make_shared<Echo>(), UdpOptions().interface("127.0.0.1"));
    reactor.call_when_running([&port] {
        std::printf("listening on %s\n", port->host().str().c_str());
        std::fflush(stdout);
    });
    return reactor.run();
} catch (const UsageError& error) {
    std::fprintf(stderr, "udp_echo_server: %s\n", error.what());
    return 2;
} catch (const Error& error) {
    std::fprintf(stderr, "udp_echo_server: %s\n", error.what());
    return 1;
}
