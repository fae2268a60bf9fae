// SPDX-License-Identifier: MIT
// dies: a UNIX socket that is not connected always seems to have room; connect() it to wait for some
#include <lariat/runtime/datagram_socket.hpp>
#include <lariat/runtime/reactor.hpp>

#include <string>
#include <unistd.h>

using namespace lariat;

struct Waiter final : DatagramSocket::RoomWaiter {
    void room() noexcept override {}
};

int main() {
    Reactor reactor;
    DatagramSocket socket(reactor, [](Datagram&) {}, [](int) {});
    if (socket.open(Address("unix:@lariat-crash-" + std::to_string(::getpid()))) != 0) return 1;
    Waiter waiter;
    socket.wait_for_room(waiter);
}
