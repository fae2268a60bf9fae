// SPDX-License-Identifier: MIT
// An echo server as a Protocol: callbacks, as in Twisted. usage: echo_protocol PORT; 0 lets the kernel
// choose.
#include "port_argument.hpp"
#include <lariat/lariat.hpp>

#include <cstdio>

using namespace lariat;

struct Echo : Protocol {
    void data_received(Bytes data) override { transport().write(data); }
};

int main(int argc, char** argv) try {
    Reactor reactor;
    // A thousand clients may connect before the first turn of the loop.
    const auto options = ListenOptions().interface("127.0.0.1").backlog(4096);
    const auto port = reactor.listen_tcp(port_argument(argc, argv), factory_for<Echo>(), options);
    reactor.call_when_running([&port] {
        std::printf("listening on %s\n", port->host().str().c_str());
        std::fflush(stdout);
    });
    return reactor.run();
} catch (const UsageError& error) {
    std::fprintf(stderr, "echo_protocol: %s\n", error.what());
    return 2;
} catch (const Error& error) {
    std::fprintf(stderr, "echo_protocol: %s\n", error.what());
    return 1;
}
