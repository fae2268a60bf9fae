// SPDX-License-Identifier: MIT
// Writing and reading over a TcpTransport, its addresses, flags and options.
#include "scripted.hpp"

#include <fcntl.h>

namespace lariat::test {
namespace {

std::string pattern(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 23);
    return text;
}

LARIAT_BACKEND_TEST_CASE("X01 write sends nothing inside the call, keeps the order and skips empty writes") {
    Pair pair(backend_kind);
    pair.establish();
    const auto sends_before = pair.reactor.backend().statistics().sends;
    Transport& transport = pair.client->transport();
    transport.write("one ");
    transport.write("");
    transport.write("two ");
    transport.write(Buffer::copy_of("three"));
    CHECK(pair.reactor.backend().statistics().sends == sends_before);
    pair.until([&] { return pair.server->received.size() == 13; });
    CHECK(pair.server->received == "one two three");
    CHECK(pair.reactor.backend().statistics().sends == sends_before + 1);
}

LARIAT_BACKEND_TEST_CASE("X01 writing after the connection was lost is silently ignored") {
    Pair pair(backend_kind, {}, {.made = {}, .data = {}, .lost = [](Scripted& self, const Failure&) {
                                     self.transport().write("inside connection_lost");
                                 }});
    pair.establish();
    pair.client->transport().lose_connection();
    pair.until_lost();
    Transport& transport = pair.client->transport();
    transport.write("too late");
    transport.write(Buffer::copy_of("too late"));
    transport.write_sequence({"too", "late"});
    transport.lose_connection();
    transport.abort_connection();
    transport.lose_write_connection();
    transport.pause_producing();
    transport.resume_producing();
    pair.settle();
    CHECK(pair.server->received.empty());
    CHECK(pair.client->times_lost == 1);
}

LARIAT_BACKEND_TEST_CASE("X02 write_sequence is like writing each part") {
    Pair pair(backend_kind);
    pair.establish();
    pair.client->transport().write("0");
    pair.client->transport().write_sequence({"12", "", "345"});
    pair.client->transport().write_sequence(std::vector<Bytes>{"6", "7"});
    pair.until([&] { return pair.server->received.size() == 8; });
    CHECK(pair.server->received == "01234567");
}

LARIAT_BACKEND_TEST_CASE("X03 a write the socket cannot take at once arrives whole, in as many sends as it takes") {
    Pair pair(backend_kind);
    pair.establish();
    const std::string text = pattern(12 * 1024 * 1024);
    pair.server->transport().pause_producing();
    pair.client->transport().write(text);
    pair.settle();  // fills the socket
    pair.client->transport().write("the end");
    pair.server->transport().resume_producing();
    pair.until([&] { return pair.server->received.size() == text.size() + 7; });
    CHECK((pair.server->received == text + "the end"));
}

LARIAT_BACKEND_TEST_CASE("X03 an error of a send ends the connection with ConnectionLost") {
    Pair pair(backend_kind);
    pair.establish();
    pair.server->transport().pause_producing();
    pair.client->transport().write(pattern(12 * 1024 * 1024));
    pair.settle();
    pair.server->transport().abort_connection();
    pair.until_lost();
    CHECK(why(pair.client->reason) == "ConnectionLost");
}

LARIAT_BACKEND_TEST_CASE("X04 data_received gets what has arrived: 1 to 65536 bytes, whatever the writes were") {
    std::size_t smallest = SIZE_MAX, largest = 0;
    Pair pair(backend_kind, {.made = {},
                             .data =
                                 [&](Scripted&, Bytes data) {
                                     smallest = std::min(smallest, data.size());
                                     largest = std::max(largest, data.size());
                                 },
                             .lost = {}});
    pair.establish();
    const std::string text = pattern(300'000);
    pair.client->transport().write(text);
    pair.until([&] { return pair.server->received.size() == text.size(); });
    CHECK((pair.server->received == text));
    CHECK(smallest >= 1);
    CHECK(largest <= 65536);
}

LARIAT_BACKEND_TEST_CASE("X04 what data_received is given can be kept and sent on without a copy") {
    Buffer kept;
    bool shared = false, copied = false;
    Pair pair(backend_kind, {.made = {},
                             .data =
                                 [&](Scripted& self, Bytes data) {
                                     kept = self.transport().hold(data);
                                     shared = kept.data() == data.data();
                                     copied = self.transport().hold(Bytes("elsewhere")).text() == "elsewhere";
                                     self.transport().write(data.skip(1));
                                 },
                             .lost = {}});
    pair.establish();
    const std::string text = pattern(4096);
    pair.client->transport().write(text);
    pair.until([&] { return pair.client->received.size() >= text.size() - 1; });
    CHECK(shared);
    CHECK(copied);
    CHECK((pair.client->received == text.substr(1)));
    CHECK((kept.text() == std::string_view(text).substr(text.size() - kept.size())));
}

LARIAT_BACKEND_TEST_CASE("X05 the end of the stream is ConnectionDone, with Twisted's text") {
    Pair pair(backend_kind);
    pair.establish();
    pair.client->transport().lose_connection();
    pair.until_lost();
    CHECK(pair.events == Events{"client lost ConnectionDone", "server lost ConnectionDone"});
    CHECK(pair.server->reason.error_message() == "Connection was closed cleanly.");
}

LARIAT_BACKEND_TEST_CASE("X05 a reset is ConnectionLost, and what arrived before it is delivered first") {
    Pair pair(backend_kind);
    pair.establish();
    pair.client->transport().write("last words");
    pair.until([&] { return pair.reactor.backend().statistics().sends > 0; });
    pair.client->transport().abort_connection();
    pair.until_lost();
    CHECK(pair.server->received == "last words");
    CHECK(why(pair.server->reason) == "ConnectionLost");
    CHECK(pair.server->reason.error_message() == "Connection to the other side was lost in a non-clean fashion.");
}

LARIAT_BACKEND_TEST_CASE("X13 pausing stops data_received and resuming brings what waited") {
    Pair pair(backend_kind);
    pair.establish();
    pair.server->transport().pause_producing();
    pair.client->transport().write("waiting");
    pair.settle();
    CHECK(pair.server->received.empty());
    pair.server->transport().resume_producing();
    pair.until([&] { return !pair.server->received.empty(); });
    CHECK(pair.server->received == "waiting");
}

LARIAT_BACKEND_TEST_CASE("X13 pausing in connection_made works") {
    Pair pair(backend_kind,
              {.made = [](Scripted& self) { self.transport().pause_producing(); }, .data = {}, .lost = {}});
    pair.establish();
    pair.client->transport().write("early");
    pair.settle();
    CHECK(pair.server->received.empty());
    pair.server->transport().resume_producing();
    pair.until([&] { return pair.server->received == "early"; });
}

LARIAT_BACKEND_TEST_CASE("X13 resuming while disconnecting does not read again") {
    Pair pair(backend_kind);
    pair.establish();
    pair.server->transport().pause_producing();
    pair.client->transport().write("unwanted");
    pair.settle();
    pair.server->transport().lose_connection();
    pair.server->transport().resume_producing();
    pair.until_lost();
    CHECK(pair.server->received.empty());
    CHECK(why(pair.server->reason) == "ConnectionDone");
}

LARIAT_BACKEND_TEST_CASE("X13 a paused connection hears of the reactor's shutdown, unlike in Twisted") {
    Pair pair(backend_kind);
    pair.establish();
    pair.server->transport().pause_producing();
    pair.client->transport().pause_producing();
    pair.reactor.call_when_running([&] { pair.reactor.stop(); });
    pair.reactor.run(false);
    CHECK(pair.saw("server lost ConnectionLost"));
    CHECK(pair.saw("client lost ConnectionLost"));
}

LARIAT_BACKEND_TEST_CASE("X18 the flags of a transport follow the connection, connected() of a protocol stays") {
    Pair pair(backend_kind);
    CHECK(!pair.client->connected());
    pair.establish();
    auto& transport = dynamic_cast<TcpTransport&>(pair.client->transport());
    CHECK(pair.client->connected());
    CHECK(transport.connected());
    CHECK(!transport.disconnecting());
    CHECK(!transport.disconnected());
    CHECK(transport.protocol() == pair.client);
    CHECK(&transport.reactor() == &pair.reactor);
    transport.lose_connection();
    CHECK(transport.connected());
    CHECK(transport.disconnecting());
    CHECK(!transport.disconnected());
    pair.until_lost();
    CHECK(!transport.connected());
    CHECK(transport.disconnecting());
    CHECK(transport.disconnected());
    CHECK(transport.protocol() == nullptr);
    CHECK(pair.client->connected());
}

LARIAT_BACKEND_TEST_CASE("X19 peer and host are the two ends, crosswise equal, and the peer outlives the connection") {
    Pair pair(backend_kind);
    pair.establish();
    Transport& server = pair.server->transport();
    Transport& client = pair.client->transport();
    CHECK(client.peer() == pair.port->host());
    CHECK(client.peer() == server.host());
    CHECK(client.host() == server.peer());
    CHECK(client.host().host() == "127.0.0.1");
    const Address peer = client.peer(), host = client.host();
    client.lose_connection();
    pair.until_lost();
    CHECK(client.peer() == peer);
    CHECK(client.host() == host);
}

LARIAT_BACKEND_TEST_CASE("X19 addresses of IPv6 connections are IPv6, with flow and scope") {
    Loop loop(backend_kind);
    Address seen;
    auto factory = loop.factory("server factory", [&](const Address& peer) {
        seen = peer;
        return std::make_shared<Scripted>(loop.events, "server", Script());
    });
    auto port = loop.reactor.listen_tcp(0, factory, ListenOptions().interface("::1"));
    auto connector = loop.reactor.connect_tcp("::1", port->host().port(), loop.idle_factory("client"));
    loop.until([&] { return loop.saw("client made") && loop.saw("server made"); });
    CHECK(seen.family() == Address::Family::ipv6);
    CHECK(seen == connector->transport()->host());
    CHECK(connector->transport()->peer() == port->host());
    CHECK(seen.flow_info() == 0);
    CHECK(seen.scope_id() == 0);
}

LARIAT_BACKEND_TEST_CASE("X20 no-delay is on, unlike in Twisted, keep-alive is off, and both can be set") {
    Pair pair(backend_kind);
    pair.establish();
    for (Transport* transport : {&pair.server->transport(), &pair.client->transport()}) {
        CHECK(transport->tcp_no_delay());
        transport->set_tcp_no_delay(false);
        CHECK(!transport->tcp_no_delay());
        CHECK(!transport->tcp_keep_alive());
        transport->set_tcp_keep_alive(true);
        CHECK(transport->tcp_keep_alive());
    }
}

LARIAT_BACKEND_TEST_CASE("X21 handle() is the socket, non-blocking and close-on-exec, and -1 after the loss") {
    Pair pair(backend_kind);
    pair.establish();
    for (Transport* transport : {&pair.server->transport(), &pair.client->transport()}) {
        CHECK((fcntl(transport->handle(), F_GETFL) & O_NONBLOCK) != 0);
        CHECK((fcntl(transport->handle(), F_GETFD) & FD_CLOEXEC) != 0);
    }
    pair.client->transport().lose_connection();
    pair.until_lost();
    CHECK(pair.client->transport().handle() == -1);
}

LARIAT_BACKEND_TEST_CASE("X23 log prefixes are \"Proto,session,peer\" for servers and \"Proto,client\" for clients") {
    Loop loop(backend_kind);
    std::vector<std::shared_ptr<Scripted>> servers;
    auto port = loop.listen(loop.factory("server factory", [&](const Address&) {
        return servers.emplace_back(std::make_shared<Scripted>(loop.events, "server", Script()));
    }));
    auto first = loop.connect(*port, loop.idle_factory("client"));
    loop.until([&] { return servers.size() == 1 && first->transport(); });
    auto second = loop.connect(*port, loop.idle_factory("client"));
    loop.until([&] { return servers.size() == 2; });
    CHECK(first->transport()->log_prefix() == "Scripted,client");
    CHECK(servers[0]->transport().log_prefix() == "Scripted,0,127.0.0.1");
    CHECK(servers[1]->transport().log_prefix() == "Scripted,1,127.0.0.1");
}

}  // namespace
}  // namespace lariat::test
