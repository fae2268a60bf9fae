// SPDX-License-Identifier: MIT
// Fetches what a deflate_server sends and writes it to stdout. usage: inflate_client ADDRESS:PORT
#include "inflate.hpp"

#include <cerrno>
#include <cstdio>

using namespace lariat;
using namespace std::chrono_literals;

Task<> fetch(Address where) {
    TcpStream peer = co_await connect(where);
    co_await in_fiber(inflate_stream, std::ref(peer), stdout, 30s);
    if (std::fflush(stdout) != 0) throw Error(describe_errno("stdout", errno), errno);
}

int main(int argc, char** argv) try {
    if (argc != 2) throw UsageError("expected one argument, the ADDRESS:PORT of a deflate_server");
    return run(fetch(Address(argv[1])));
} catch (const UsageError& error) {
    std::fprintf(stderr, "inflate_client: %s\n", error.what());
    return 2;
}
