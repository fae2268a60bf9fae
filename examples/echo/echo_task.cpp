// SPDX-License-Identifier: MIT
// An echo server as coroutines: one Task per connection. usage: echo_task PORT; 0 lets the kernel choose.
#include "port_argument.hpp"
#include <lariat/lariat.hpp>

#include <cstdio>

using namespace lariat;

Task<> echo(TcpStream peer) {
    while (Buffer data = co_await peer.read_some()) co_await peer.write(std::move(data));
}

Task<> serve(Address where) {
    // A thousand clients may connect before the first turn of the loop.
    Listener listener(where, ListenOptions().backlog(4096));
    std::printf("listening on %s\n", listener.local_address().str().c_str());
    std::fflush(stdout);
    co_await listener.serve(echo);
}

int main(int argc, char** argv) try {
    return run(serve(Address::loopback(port_argument(argc, argv))));
} catch (const UsageError& error) {
    std::fprintf(stderr, "echo_task: %s\n", error.what());
    return 2;
} catch (const Error& error) {
    std::fprintf(stderr, "echo_task: %s\n", error.what());
    return 1;
}
