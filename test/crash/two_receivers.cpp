// SPDX-License-Identifier: MIT
// dies: two coroutines receive from one UdpSocket; let one receive and hand out datagrams
#include <lariat/coro/run.hpp>
#include <lariat/coro/task_scope.hpp>
#include <lariat/coro/udp_socket.hpp>

#include <functional>

using namespace lariat;

Task<> receives(UdpSocket& socket) { (void)co_await socket.receive_from(); }
Task<> two_receivers() {
    UdpSocket socket(Address::loopback(0));
    co_await with_scope([&socket](TaskScope& scope) -> Task<> {
        scope.spawn(receives, std::ref(socket));
        scope.spawn(receives, std::ref(socket));
        co_return;
    });
}

int main() { return run(two_receivers()); }
