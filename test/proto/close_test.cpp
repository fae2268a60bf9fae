// SPDX-License-Identifier: MIT
// How connections end: lose_connection, abort_connection, half-close, exceptions, shutdown.
#include "scripted.hpp"
#include <lariat/io/base/log.hpp>

#include <stdexcept>

namespace lariat::test {
namespace {

/// Larger than what the sockets of both ends can hold together.
const std::string& flood() {
    static const std::string text(12 * 1024 * 1024, 'x');
    return text;
}

LARIAT_BACKEND_TEST_CASE("X06 lose_connection flushes, calls connection_lost from the loop, and twice is once") {
    Pair pair(backend_kind);
    pair.establish();
    Transport& transport = pair.client->transport();
    transport.write(flood());
    transport.lose_connection();
    CHECK(transport.disconnecting());
    transport.lose_connection();
    CHECK(pair.events.empty());
    pair.until_lost();
    CHECK(pair.server->received.size() == flood().size());
    CHECK(pair.events == Events{"client lost ConnectionDone", "server lost ConnectionDone"});
}

LARIAT_BACKEND_TEST_CASE("X06 lose_connection stops reading at once") {
    Pair pair(backend_kind);
    pair.establish();
    pair.server->transport().pause_producing();
    pair.client->transport().write(flood());  // keeps the client flushing until the server reads
    pair.settle();
    pair.client->transport().lose_connection();
    pair.server->transport().write("nobody listens");
    pair.settle();
    pair.server->transport().resume_producing();
    pair.until_lost();
    CHECK(pair.client->received.empty());
}

LARIAT_BACKEND_TEST_CASE("X06 lose_connection inside data_received ends data_received") {
    Pair pair(backend_kind,
              {.made = {}, .data = [](Scripted& self, Bytes) { self.transport().lose_connection(); }, .lost = {}});
    pair.establish();
    pair.client->transport().write("a");
    pair.until([&] { return pair.server->transport().disconnecting(); });
    pair.client->transport().write("b");
    pair.until_lost();
    CHECK(pair.server->received == "a");
}

LARIAT_BACKEND_TEST_CASE("X07 what is written after lose_connection, before the queue is empty, is still sent") {
    Pair pair(backend_kind);
    pair.establish();
    Transport& transport = pair.client->transport();
    transport.write("before, ");
    transport.lose_connection();
    transport.write("after");
    pair.until_lost();
    CHECK(pair.server->received == "before, after");
}

LARIAT_BACKEND_TEST_CASE("X09 abort_connection drops what is queued, and the peer sees a reset") {
    Pair pair(backend_kind);
    pair.establish();
    pair.server->transport().pause_producing();
    Transport& transport = pair.client->transport();
    transport.write(flood());
    pair.settle();
    transport.abort_connection();
    CHECK(pair.events.empty());  // never from inside the call
    pair.server->transport().resume_producing();
    pair.until_lost();
    CHECK(why(pair.client->reason) == "ConnectionAborted");
    CHECK(why(pair.server->reason) == "ConnectionLost");
    CHECK(pair.client->reason.check<ConnectionLost>());
    CHECK(pair.client->reason.error_message() == "Connection was aborted locally using ITCPTransport.abortConnection.");
    CHECK(pair.server->received.size() < flood().size());
}

LARIAT_BACKEND_TEST_CASE("X09 aborting twice, and losing after aborting, changes nothing") {
    Pair pair(backend_kind);
    pair.establish();
    Transport& transport = pair.client->transport();
    transport.abort_connection();
    transport.abort_connection();
    transport.lose_connection();
    transport.write("dropped");
    pair.until_lost();
    pair.settle();
    CHECK(pair.client->times_lost == 1);
    CHECK(why(pair.client->reason) == "ConnectionAborted");
    CHECK(pair.server->received.empty());
}

LARIAT_BACKEND_TEST_CASE("X09 abort_connection cuts a lose_connection that is still flushing short") {
    Pair pair(backend_kind);
    pair.establish();
    pair.server->transport().pause_producing();
    pair.client->transport().write(flood());
    pair.client->transport().lose_connection();
    pair.settle();
    CHECK(pair.events.empty());
    pair.client->transport().abort_connection();
    pair.until([&] { return pair.client->times_lost > 0; });
    CHECK(why(pair.client->reason) == "ConnectionAborted");
}

LARIAT_BACKEND_TEST_CASE("X09 aborting inside connection_made and data_received is followed by one connection_lost") {
    SUBCASE("connection_made") {
        Pair pair(backend_kind, {},
                  {.made = [](Scripted& self) { self.transport().abort_connection(); }, .data = {}, .lost = {}});
        pair.establish_unheard();
        pair.until([&] { return pair.client->times_lost > 0; });
        CHECK(why(pair.client->reason) == "ConnectionAborted");
    }
    SUBCASE("data_received") {
        Pair pair(backend_kind,
                  {.made = {}, .data = [](Scripted& self, Bytes) { self.transport().abort_connection(); }, .lost = {}});
        pair.establish();
        pair.client->transport().write("go");
        pair.until_lost();
        pair.settle();
        CHECK(pair.server->times_lost == 1);
        CHECK(why(pair.server->reason) == "ConnectionAborted");
    }
}

LARIAT_BACKEND_TEST_CASE("X10 connection_lost comes once, also when it aborts or throws") {
    CapturedLogs logs;
    SUBCASE("aborts") {
        Pair pair(backend_kind, {.made = {}, .data = {}, .lost = [](Scripted& self, const Failure&) {
                                     self.transport().abort_connection();
                                     self.transport().lose_connection();
                                 }});
        pair.establish();
        pair.client->transport().lose_connection();
        pair.until_lost();
        pair.settle();
        CHECK(pair.server->times_lost == 1);
    }
    SUBCASE("throws") {
        Pair pair(backend_kind, {.made = {}, .data = {}, .lost = [](Scripted&, const Failure&) {
                                     throw std::runtime_error("a bug in connection_lost");
                                 }});
        pair.establish();
        pair.client->transport().lose_connection();
        pair.until_lost();
        pair.settle();
        CHECK(pair.server->times_lost == 1);
        CHECK(logs.count("a bug in connection_lost") == 1);
    }
}

LARIAT_BACKEND_TEST_CASE("X10 X24 an exception after abort_connection in data_received is the one reason") {
    CapturedLogs logs;
    Pair pair(backend_kind, {.made = {},
                             .data =
                                 [](Scripted& self, Bytes) {
                                     self.transport().abort_connection();
                                     throw std::runtime_error("a bug in data_received");
                                 },
                             .lost = {}});
    pair.establish();
    pair.client->transport().write("go");
    pair.until_lost();
    pair.settle();
    CHECK(pair.server->times_lost == 1);
    CHECK(pair.server->reason.error_message() == "a bug in data_received");
    CHECK(logs.count("a bug in data_received") == 1);
}

LARIAT_BACKEND_TEST_CASE("X24 what escapes data_received is logged and aborts the connection with it") {
    CapturedLogs logs;
    Pair pair(backend_kind,
              {.made = {}, .data = [](Scripted&, Bytes) { throw std::logic_error("a bug"); }, .lost = {}});
    pair.establish();
    pair.client->transport().write("go");
    pair.until_lost();
    CHECK(pair.server->reason.check<std::logic_error>());
    CHECK(logs.count("a bug") == 1);
    CHECK(why(pair.client->reason) == "ConnectionLost");
}

LARIAT_BACKEND_TEST_CASE("X24 what escapes connection_made aborts the connection, on servers too, unlike in Twisted") {
    CapturedLogs logs;
    const Script throwing{.made = [](Scripted&) { throw std::logic_error("a bug"); }, .data = {}, .lost = {}};
    SUBCASE("server") {
        Pair pair(backend_kind, throwing);
        pair.establish_unheard();
        pair.until_lost();
        CHECK(pair.server->reason.check<std::logic_error>());
    }
    SUBCASE("client") {
        Pair pair(backend_kind, {}, throwing);
        pair.establish_unheard();
        pair.until([&] { return pair.client->times_lost > 0; });
        CHECK(pair.client->reason.check<std::logic_error>());
    }
    CHECK(logs.count("a bug") == 1);
}

LARIAT_BACKEND_TEST_CASE("X11 lose_write_connection sends what is queued, then the end; reading goes on") {
    Pair<HalfScripted, HalfScripted> pair(backend_kind);
    pair.establish();
    pair.client->transport().write(flood());
    pair.client->transport().lose_write_connection();
    pair.client->transport().lose_write_connection();
    CHECK(pair.events.empty());
    pair.until([&] { return pair.saw("server read lost"); });
    CHECK(pair.server->received.size() == flood().size());
    CHECK(pair.take() == Events{"client write lost", "server read lost"});
    pair.server->transport().write("still heard");
    pair.until([&] { return pair.client->received == "still heard"; });
    pair.client->transport().write("dropped");
    pair.settle();
    CHECK(pair.server->received.size() == flood().size());
    CHECK(pair.events.empty());
}

LARIAT_BACKEND_TEST_CASE(
    "X11 lose_write_connection works for protocols that do not implement the half-close callbacks") {
    Pair<HalfScripted, Scripted> pair(backend_kind);
    pair.establish();
    pair.client->transport().lose_write_connection();
    pair.until([&] { return pair.saw("server read lost"); });
    pair.server->transport().write("answer");
    pair.until([&] { return pair.client->received == "answer"; });
    CHECK(pair.events == Events{"server read lost"});
}

LARIAT_BACKEND_TEST_CASE("X11 lose_write_connection on a connection that was reset is silent") {
    Pair<HalfScripted, HalfScripted> pair(backend_kind);
    pair.establish();
    pair.server->transport().abort_connection();
    pair.client->transport().lose_write_connection();
    pair.until_lost();
    pair.client->transport().lose_write_connection();
    pair.settle();
    CHECK(why(pair.client->reason) == "ConnectionLost");
}

LARIAT_BACKEND_TEST_CASE("X11 lose_connection after lose_write_connection closes") {
    Pair<HalfScripted, HalfScripted> pair(backend_kind);
    pair.establish();
    pair.client->transport().lose_write_connection();
    pair.until([&] { return pair.saw("client write lost"); });
    pair.client->transport().lose_connection();
    pair.until([&] { return pair.client->times_lost > 0; });
    CHECK(why(pair.client->reason) == "ConnectionDone");
}

LARIAT_BACKEND_TEST_CASE("X12 at the peer's end of stream a half-closeable protocol goes on writing") {
    Pair<HalfScripted, Scripted> pair(backend_kind);
    pair.establish();
    pair.client->transport().write("question");
    pair.client->transport().lose_write_connection();
    pair.until([&] { return pair.saw("server read lost"); });
    CHECK(pair.server->received == "question");
    CHECK(pair.server->times_lost == 0);
    pair.server->transport().write("answer");
    pair.server->transport().lose_connection();
    pair.until_lost();
    CHECK(pair.client->received == "answer");
    CHECK(pair.events == Events{"server read lost", "server lost ConnectionDone", "client lost ConnectionDone"});
}

LARIAT_BACKEND_TEST_CASE("X12 any other protocol is lost at the peer's end of stream, and what it had queued with it") {
    Pair pair(backend_kind);
    pair.establish();
    pair.client->transport().pause_producing();
    pair.server->transport().write(flood());
    pair.settle();
    pair.client->transport().lose_write_connection();
    pair.until([&] { return pair.server->times_lost > 0; });
    CHECK(pair.events == Events{"server lost ConnectionDone"});
    pair.client->transport().resume_producing();
    pair.until_lost();
    CHECK(pair.client->received.size() < flood().size());
}

LARIAT_BACKEND_TEST_CASE("X12 when both halves are closed both ends get ConnectionDone") {
    Pair<HalfScripted, HalfScripted> pair(backend_kind);
    pair.establish();
    pair.server->on_read_lost = [](HalfScripted& self) { self.transport().lose_write_connection(); };
    pair.client->transport().lose_write_connection();
    pair.until_lost();
    CHECK(pair.events_of("client") == Events{"client write lost", "client read lost", "client lost ConnectionDone"});
    CHECK(pair.events_of("server") == Events{"server read lost", "server write lost", "server lost ConnectionDone"});
}

LARIAT_BACKEND_TEST_CASE("X12 what escapes a half-close callback is logged and ends the connection with it") {
    CapturedLogs logs;
    Pair<HalfScripted, HalfScripted> pair(backend_kind);
    pair.establish();
    SUBCASE("read_connection_lost") {
        pair.server->on_read_lost = [](HalfScripted&) { throw std::runtime_error("a bug"); };
        pair.client->transport().lose_write_connection();
        pair.until([&] { return pair.server->times_lost > 0; });
        CHECK(pair.server->reason.error_message() == "a bug");
    }
    SUBCASE("write_connection_lost") {
        pair.client->on_write_lost = [](HalfScripted&) { throw std::runtime_error("a bug"); };
        pair.client->transport().lose_write_connection();
        pair.until([&] { return pair.client->times_lost > 0; });
        CHECK(pair.client->reason.error_message() == "a bug");
    }
    CHECK(logs.count("a bug") == 1);
}

LARIAT_BACKEND_TEST_CASE(
    "R13 at shutdown protocols, factories and the port end with ConnectionLost, in Twisted's order") {
    Loop loop(backend_kind);
    auto server_factory = loop.idle_factory("server");
    auto port = loop.listen(server_factory);
    loop.connect(*port, loop.idle_factory("client"));
    loop.until([&] { return loop.saw("server made") && loop.saw("client made"); });
    loop.take();
    loop.reactor.call_when_running([&] { loop.reactor.stop(); });
    loop.reactor.run(false);
    CHECK(loop.events_of("client")
          == Events{"client lost ConnectionLost", "client factory lost ConnectionLost", "client factory stop"});
    CHECK(loop.saw("server lost ConnectionLost"));
    CHECK(loop.saw("server factory stop"));
    CHECK(loop.events_of("server").size() == 2);
}

LARIAT_BACKEND_TEST_CASE("a protocol is held until connection_lost has returned, and not longer") {
    Loop loop(backend_kind);
    std::weak_ptr<Scripted> watched;
    bool alive_in_lost = false;
    auto port = loop.listen(loop.factory("server factory", [&](const Address&) {
        auto made = std::make_shared<Scripted>(loop.events, "server",
                                               Script{.made = {}, .data = {}, .lost = [&](Scripted&, const Failure&) {
                                                          alive_in_lost = !watched.expired();
                                                      }});
        watched = made;
        return made;
    }));
    auto connector = loop.connect(*port, loop.idle_factory("client"));
    loop.until([&] { return loop.saw("server made"); });
    CHECK(!watched.expired());
    connector->disconnect();
    loop.until([&] { return loop.saw("server lost ConnectionDone"); });
    CHECK(alive_in_lost);
    CHECK(watched.expired());
}

}  // namespace
}  // namespace lariat::test
