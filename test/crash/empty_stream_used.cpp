// SPDX-License-Identifier: MIT
// dies: this TcpStream is empty: it was moved from, or never connected
#include <lariat/coro/run.hpp>
#include <lariat/coro/tcp_stream.hpp>

using namespace lariat;

Task<> reads() {
    TcpStream stream;
    (void)co_await stream.read_some();
}

int main() { return run(reads()); }
