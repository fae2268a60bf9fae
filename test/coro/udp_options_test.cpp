// SPDX-License-Identifier: MIT
// What a UdpSocket refuses, and its options: broadcast and multicast.
#include <lariat/test/support/udp.hpp>

#include <doctest/doctest.h>

#include <string>

namespace lariat {
namespace {

using namespace literals;
using namespace test;

Task<> errors() {
    CHECK(text_thrown_by([] { UdpSocket("unix:/nowhere"); }) == "UdpSocket needs an IP address, not 'unix:/nowhere'");
    UdpSocket socket(loopback);
    CHECK(text_thrown_by([&] { UdpSocket(socket.local_address()); })
          == "Couldn't listen on 127.0.0.1:" + std::to_string(socket.local_address().port())
                 + ": [Errno 98] Address already in use.");
    CHECK(text_thrown_by([&] { socket.connect({}); }) == "connect() needs an IP address, not 'none'");
    CHECK(text_thrown_by([&] { socket.connect("[::1]:7"); }).find("Address family not supported") != std::string::npos);
    CHECK(co_await ending_of(send_text_to(socket, "x", {})) == "UsageError: send_to() needs an IP address, not 'none'");
    CHECK(co_await ending_of(send_text_to(socket, "x", "[::1]:7"))
          == "Error: send to [::1]:7: Address family not supported by protocol");
    CHECK(text_thrown_by([&] { socket.set_multicast_ttl(256); }) == "set_multicast_ttl: Invalid argument");
    CHECK(text_thrown_by([&] { socket.join_group("10.0.0.1:0", "127.0.0.1"); }) == "join 10.0.0.1: Invalid argument");
    CHECK(text_thrown_by([&] { socket.join_group("239.1.2.3:0", "no such one"); }) == "join 239.1.2.3: No such device");
    CHECK(text_thrown_by([&] { socket.leave_group("239.1.2.3:0", "127.0.0.1"); })
          == "leave 239.1.2.3: Cannot assign requested address");
}
LARIAT_BACKEND_TEST_CASE("what cannot be done says why") { run_on(backend_kind, errors); }

Task<> send_to_nobody() {
    UdpSocket socket(loopback), peer(loopback);
    socket.connect(peer.local_address());
    CHECK((co_await ending_of(send_text_to(socket, "astray", {}))).starts_with("UsageError: "));
    co_await let_arrive();
    co_await socket.send("meant for the peer");
    CHECK(co_await receive_text(peer) == "meant for the peer");
}
LARIAT_BACKEND_TEST_CASE("what is sent to no address does not go to the peer of a connected socket") {
    run_on(backend_kind, send_to_nobody);
}

Task<> broadcast() {
    UdpSocket a(Address::any_ipv4(0)), b(Address::any_ipv4(0));
    Address everybody = is_simulated() ? Address("255.255.255.255:0") : Address("127.255.255.255:0");
    everybody.set_port(b.local_address().port());
    CHECK(co_await ending_of(send_text_to(a, "x", everybody))
          == "Error: send to " + everybody.str() + ": Permission denied");
    CHECK(co_await ending_of(receive_text_soon(a)) == "TimedOut: receive_from timed out after 1 ms");
    a.set_broadcast(true);
    co_await a.send_to("to everybody", everybody);
    CHECK(co_await receive_text(b) == "to everybody");
    a.set_broadcast(false);
    CHECK(co_await ending_of(send_text_to(a, "x", everybody))
          == "Error: send to " + everybody.str() + ": Permission denied");
    UdpSocket c(Address::any_ipv4(0), DatagramOptions().broadcast());
    co_await c.send_to("from the beginning", everybody);
    CHECK(co_await receive_text(b) == "from the beginning");
}
LARIAT_BACKEND_TEST_CASE("only who may send to broadcast addresses can") { run_on(backend_kind, broadcast); }

Task<> multicast() {
    const std::string interface = "127.0.0.1";
    UdpSocket a(Address::any_ipv4(0), DatagramOptions().listen_multiple());
    UdpSocket b(a.local_address(), DatagramOptions().listen_multiple());
    Address group("239.1.2.3:0");
    group.set_port(a.local_address().port());
    a.join_group(group, interface);
    b.join_group(group, interface);
    UdpSocket sender(loopback);
    sender.set_multicast_interface(interface);
    sender.set_multicast_ttl(0);  // stays on this machine
    co_await sender.send_to("to all", group);
    CHECK(co_await receive_text(a) == "to all");
    CHECK(co_await receive_text(b) == "to all");

    a.leave_group(group, interface);
    b.leave_group(group, interface);  // with the last member on the machine, so that nobody hears it
    co_await sender.send_to("to nobody", group);
    co_await let_arrive();
    a.join_group(group, interface);
    co_await sender.send_to("to members", group);
    CHECK(co_await receive_text(a) == "to members");

    // Over the kernel's loopback interface it comes back as from a network.
    if (is_simulated()) {
        sender.set_multicast_loop(false);
        co_await sender.send_to("to other machines", group);
        co_await let_arrive();
    }
    sender.set_multicast_loop(true);
    co_await sender.send_to("to members again", group);
    CHECK(co_await receive_text(a) == "to members again");
}
LARIAT_BACKEND_TEST_CASE("members of a multicast group hear what is sent to it, until they leave") {
    run_on(backend_kind, multicast);
}

Task<> multicast_ipv6() {
    UdpSocket socket("[::]:0");
    const Address group("[ff12::1234]:0");
    const std::string interface = "1";  // lo
    socket.join_group(group, interface);
    CHECK(text_thrown_by([&] { socket.join_group(group, interface); }) == "join ff12::1234: Address already in use");
    socket.leave_group(group, interface);
    CHECK(text_thrown_by([&] { socket.leave_group(group, interface); })
          == "leave ff12::1234: Cannot assign requested address");
    socket.set_multicast_ttl(3);
    socket.set_multicast_loop(false);
    socket.set_multicast_interface(interface);
    CHECK(text_thrown_by([&] { socket.set_multicast_interface("127.0.0.1"); })
          == "set_multicast_interface 127.0.0.1: No such device");
    co_return;
}
LARIAT_BACKEND_TEST_CASE("IPv6 has the same options of multicast") { run_on(backend_kind, multicast_ipv6); }

}  // namespace
}  // namespace lariat
