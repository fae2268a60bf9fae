// SPDX-License-Identifier: MIT
// The lariat echo server under test, written as a user would write it: as a Protocol or as a coroutine, on either
// backend. usage: lariat_echo_server --style protocol|task --backend uring|epoll [--port N]
#include <lariat/lariat.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

using namespace lariat;

// A thousand clients may connect before the first turn of the loop.
constexpr int backlog = 4096;

void announce(std::uint16_t port) {
    std::printf("listening on 127.0.0.1:%d\n", port);
    std::fflush(stdout);
}

ListenOptions listen_options() { return ListenOptions().backlog(backlog).interface("127.0.0.1"); }

struct Echo : Protocol {
    void data_received(Bytes data) override { transport().write(data); }
};

int serve_protocols(std::uint16_t port) {
    Reactor reactor;
    const auto listening = reactor.listen_tcp(port, factory_for<Echo>(), listen_options());
    announce(listening->host().port());
    return reactor.run();
}

Task<> echo(TcpStream peer) {
    while (Buffer data = co_await peer.read_some()) co_await peer.write(std::move(data));
}

Task<> serve_tasks(std::uint16_t port) {
    Listener listener(Address::loopback(port), listen_options());
    announce(listener.local_address().port());
    co_await listener.serve(echo);
}

int usage() {
    std::fputs("usage: lariat_echo_server --style protocol|task --backend uring|epoll [--port N]\n", stderr);
    return 2;
}

}  // namespace

int main(int argc, char** argv) {
    std::string style, backend;
    std::uint16_t port = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string option = argv[i];
        if (option == "--style")
            style = argv[i + 1];
        else if (option == "--backend")
            backend = argv[i + 1];
        else if (option == "--port")
            port = static_cast<std::uint16_t>(std::atoi(argv[i + 1]));
        else
            return usage();
    }
    if (argc % 2 == 0 || (style != "protocol" && style != "task") || (backend != "uring" && backend != "epoll"))
        return usage();
    setenv("LARIAT_BACKEND", backend.c_str(), 1);
    return style == "protocol" ? serve_protocols(port) : run(serve_tasks(port));
}
