// SPDX-License-Identifier: MIT
// dies: a TcpStream was destroyed while a coroutine waits for it
#include <lariat/coro/connect.hpp>
#include <lariat/coro/listener.hpp>
#include <lariat/coro/run.hpp>
#include <lariat/coro/spawn.hpp>

#include <functional>

using namespace lariat;

Task<> reads(TcpStream& stream) { (void)co_await stream.read_some(); }
Task<> destroys() {
    Listener listener(Address::loopback(0));
    TcpStream stream = co_await connect(listener.local_address());
    spawn(reads, std::ref(stream));
}

int main() { return run(destroys()); }
