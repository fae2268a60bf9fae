// SPDX-License-Identifier: MIT
// dies: a UdpSocket was destroyed while a coroutine waits for a datagram
#include <lariat/coro/run.hpp>
#include <lariat/coro/spawn.hpp>
#include <lariat/coro/udp_socket.hpp>

#include <functional>

using namespace lariat;

Task<> receives(UdpSocket& socket) { (void)co_await socket.receive_from(); }
Task<> destroys() {
    UdpSocket socket(Address::loopback(0));
    spawn(receives, std::ref(socket));
    co_return;
}

int main() { return run(destroys()); }
