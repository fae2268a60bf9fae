// SPDX-License-Identifier: MIT
// Multicast through UDP ports. All of it stays on loopback.
#include "scripted_datagrams.hpp"

namespace lariat::test {
namespace {

constexpr const char* group = "239.255.7.7";  // of those for private use, RFC 2365

class GroupLoop : public UdpLoop {
public:
    explicit GroupLoop(io::BackendKind kind) : UdpLoop(kind) {
        sender = bind(protocol("sender"));
        record_firing(events, "interface", sender->set_outgoing_interface("127.0.0.1"));
        CHECK(take() == Events{"sender start", "interface fired"});
    }
    /// A port of every address, shared with others that have its number.
    std::shared_ptr<UdpPort> member(const std::string& name, std::uint16_t number = 0) {
        auto port = reactor.listen_multicast(number, protocol(name), UdpOptions().listen_multiple());
        record_firing(events, name, port->join_group(group, "127.0.0.1"));
        CHECK(take() == Events{name + " start", name + " fired"});
        return port;
    }

    std::shared_ptr<UdpPort> sender;
};

LARIAT_BACKEND_TEST_CASE("U12 a port hears what is sent to a group from join_group to leave_group") {
    GroupLoop loop(backend_kind);
    auto member = loop.member("member");
    const std::uint16_t number = member->host().port();
    loop.sender->write("one", group, number);
    loop.until_saw("member got one");
    record_firing(loop.events, "left", member->leave_group(group, "127.0.0.1"));
    CHECK(loop.last() == "left fired");
    loop.sender->write("two", group, number);
    loop.sender->write("three", "127.0.0.1", number);
    loop.until_saw("member got three");
    CHECK_FALSE(loop.saw("member got two"));
}

LARIAT_BACKEND_TEST_CASE("U11 with listen_multiple every port of a number hears the group, without it there is one") {
    GroupLoop loop(backend_kind);
    auto first = loop.member("first");
    auto second = loop.member("second", first->host().port());
    loop.sender->write("all", group, first->host().port());
    loop.until([&] { return loop.saw("first got all") && loop.saw("second got all"); });
    auto alone = loop.reactor.listen_multicast(0, loop.protocol("alone"));
    CHECK_THROWS_AS(loop.reactor.listen_multicast(alone->host().port(), loop.protocol("late")), CannotListenError);
    CHECK_THROWS_AS(
        loop.reactor.listen_multicast(alone->host().port(), loop.protocol("late"), UdpOptions().listen_multiple()),
        CannotListenError);
}

LARIAT_BACKEND_TEST_CASE("U12 what cannot be joined or left is a MulticastJoinError, of the Deferred") {
    GroupLoop loop(backend_kind);
    auto member = loop.member("member");
    const auto failure_of = [](const Deferred<>& deferred) {
        Failure found;
        deferred.add_errback([&](const Failure& failure) { found = failure; });
        return found;
    };
    const Failure no_group = failure_of(member->join_group("127.0.0.1"));
    REQUIRE(no_group.check<MulticastJoinError>());
    CHECK(no_group.error_message() == "Couldn't join or leave a multicast group: 127.0.0.1: Invalid argument.");
    CHECK(failure_of(member->join_group(group, "127.0.0.1")).check<MulticastJoinError>());  // a second time
    CHECK(failure_of(member->leave_group("239.255.7.8")).check<MulticastJoinError>());      // it never was in it
    CHECK(failure_of(member->join_group(group, "no such interface")).check<MulticastJoinError>());
    CHECK(failure_of(member->join_group("all-hosts.example.org")).check<InvalidAddressError>());
    record_firing(loop.events, "stop", member->stop_listening());
    CHECK(failure_of(member->join_group(group)).check<UsageError>());
    loop.until_saw("stop fired");
    CHECK(failure_of(member->set_outgoing_interface("127.0.0.1")).check<UsageError>());
}

// A real loopback interface brings back what is sent over it, whatever the mode.
LARIAT_BACKEND_TEST_CASE("U12 without loopback mode members on the same host hear nothing") {
    GroupLoop loop(backend_kind);
    auto member = loop.member("member");
    const std::uint16_t number = member->host().port();
    CHECK(loop.sender->loopback_mode());
    loop.sender->set_loopback_mode(false);
    CHECK_FALSE(loop.sender->loopback_mode());
    loop.sender->write("unheard", group, number);
    loop.sender->set_loopback_mode(true);
    loop.sender->write("heard", group, number);
    loop.until_saw("member got heard");
    CHECK(loop.saw("member got unheard") == (backend_kind != io::BackendKind::sim));
}

LARIAT_BACKEND_TEST_CASE("U12 the hops and the interface of what is sent to groups can be set and read back") {
    UdpLoop loop(backend_kind);
    auto port = loop.bind(loop.protocol("port"));
    CHECK(port->ttl() == 1);
    port->set_ttl(8);
    CHECK(port->ttl() == 8);
    CHECK_THROWS_AS(port->set_ttl(256), Error);
    CHECK(port->ttl() == 8);
    CHECK(port->outgoing_interface() == "0.0.0.0");
    record_firing(loop.events, "set", port->set_outgoing_interface("127.0.0.1"));
    CHECK(loop.last() == "set fired");
    CHECK(port->outgoing_interface() == "127.0.0.1");
    record_firing(loop.events, "wrong", port->set_outgoing_interface("no such interface"));
    CHECK(loop.last().starts_with("wrong failed: "));
    auto six = loop.reactor.listen_multicast(0, loop.protocol("six"), UdpOptions().interface("::1"));
    six->set_ttl(3);
    CHECK(six->ttl() == 3);
    six->set_loopback_mode(false);
    CHECK_FALSE(six->loopback_mode());
}

}  // namespace
}  // namespace lariat::test
