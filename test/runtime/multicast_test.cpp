// SPDX-License-Identifier: MIT
#include <lariat/runtime/multicast.hpp>

#include <lariat/runtime/datagram_socket.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/test/support/backends.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <string>
#include <utility>

namespace lariat {
namespace {

class OpenSocket : public DatagramSocket {
public:
    OpenSocket(Reactor& reactor, const Address& local) : DatagramSocket(reactor, [](Datagram&) {}, [](int) {}) {
        REQUIRE(open(local) == 0);
    }
};

int ttl_of(DatagramSocket& socket) {
    int ttl = -1;
    CHECK(multicast_ttl(socket, ttl) == 0);
    return ttl;
}
bool loops(DatagramSocket& socket) {
    bool loop = false;
    CHECK(multicast_loop(socket, loop) == 0);
    return loop;
}
std::string interface_of(DatagramSocket& socket) {
    std::string interface = "unset";
    CHECK(multicast_interface(socket, interface) == 0);
    return interface;
}

LARIAT_BACKEND_TEST_CASE("the options of multicast are as they were set") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    OpenSocket ipv4(reactor, Address::any_ipv4(0)), ipv6(reactor, "[::]:0");
    CHECK(ttl_of(ipv4) == 1);
    CHECK(loops(ipv4));
    CHECK(interface_of(ipv4) == "0.0.0.0");
    CHECK(interface_of(ipv6) == "0");
    for (DatagramSocket* socket : {&ipv4, &ipv6}) {
        for (const int ttl : {0, 7, 255}) {
            CHECK(set_multicast_ttl(*socket, ttl) == 0);
            CHECK(ttl_of(*socket) == ttl);
        }
        CHECK(set_multicast_ttl(*socket, 256) == -EINVAL);
        CHECK(set_multicast_ttl(*socket, -1) == -EINVAL);
        for (const bool loop : {false, true}) {
            CHECK(set_multicast_loop(*socket, loop) == 0);
            CHECK(loops(*socket) == loop);
        }
        CHECK(set_multicast_interface(*socket, "1") == 0);  // lo
        CHECK(set_multicast_interface(*socket, "no such one") == -ENODEV);
    }
    CHECK(interface_of(ipv4) == "0.0.0.0");
    CHECK(interface_of(ipv6) == "1");
    CHECK(set_multicast_interface(ipv4, "127.0.0.1") == 0);
    CHECK(interface_of(ipv4) == "127.0.0.1");
    CHECK(set_multicast_interface(ipv6, "127.0.0.1") == -ENODEV);
    CHECK(set_multicast_interface(ipv6, "") == 0);
    CHECK(interface_of(ipv6) == "0");
}

LARIAT_BACKEND_TEST_CASE("a group is joined once and left once, over the interface that is named") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    OpenSocket ipv4(reactor, Address::any_ipv4(0)), ipv6(reactor, "[::]:0");
    const auto check = [](DatagramSocket& socket, const Address& group, const std::string& interface) {
        CHECK(join_group(socket, group, interface, false) == -EADDRNOTAVAIL);
        CHECK(join_group(socket, group, interface, true) == 0);
        CHECK(join_group(socket, group, interface, true) == -EADDRINUSE);
        CHECK(join_group(socket, group, interface, false) == 0);
        CHECK(join_group(socket, group, interface, false) == -EADDRNOTAVAIL);
    };
    check(ipv4, "239.1.2.3:0", "127.0.0.1");
    check(ipv4, "239.1.2.3:0", "1");
    check(ipv4, "239.1.2.3:0", "lo");
    check(ipv6, "[ff12::1234]:0", "1");
    check(ipv6, "[ff12::1234%1]:0", "");
    CHECK(join_group(ipv4, "unix:/group", "", true) == -EINVAL);
    CHECK(join_group(ipv4, "10.0.0.1:0", "1", true) == -EINVAL);
    CHECK(join_group(ipv4, "239.1.2.3:0", "no such one", true) == -ENODEV);
    CHECK(join_group(ipv6, "[ff12::1234]:0", "127.0.0.1", true) == -ENODEV);
}

LARIAT_KERNEL_TEST_CASE("an interface that is not there has no groups and sends nothing to any") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    OpenSocket ipv4(reactor, Address::any_ipv4(0)), ipv6(reactor, "[::]:0");
    for (const char* interface : {"192.0.2.1", "1000000"}) {
        CHECK(join_group(ipv4, "239.1.2.3:0", interface, true) == -ENODEV);
        CHECK(set_multicast_interface(ipv4, interface) == -EADDRNOTAVAIL);
        CHECK(join_group(ipv6, "[ff12::1234]:0", interface, true) == -ENODEV);
        CHECK(set_multicast_interface(ipv6, interface) == -ENODEV);
    }
}

LARIAT_BACKEND_TEST_CASE("what has no multicast says so") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    OpenSocket local(reactor, "unix:@lariat-multicast-test");
    OpenSocket closed(reactor, Address::any_ipv4(0));
    closed.close({});
    int ttl = 0;
    bool loop = false;
    std::string interface;
    for (const auto& [socket, error] : {std::pair(&local, -EOPNOTSUPP), std::pair(&closed, -EBADF)}) {
        CHECK(join_group(*socket, "239.1.2.3:0", "", true) == error);
        CHECK(set_multicast_ttl(*socket, 1) == error);
        CHECK(multicast_ttl(*socket, ttl) == error);
        CHECK(set_multicast_loop(*socket, true) == error);
        CHECK(multicast_loop(*socket, loop) == error);
        CHECK(set_multicast_interface(*socket, "") == error);
        CHECK(multicast_interface(*socket, interface) == error);
    }
}

}  // namespace
}  // namespace lariat
