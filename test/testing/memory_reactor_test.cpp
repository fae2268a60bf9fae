// SPDX-License-Identifier: MIT
#include <lariat/testing/memory_reactor.hpp>

#include <lariat/coro/deferred.hpp>
#include <lariat/proto/client_creator.hpp>
#include <lariat/proto/reconnecting.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/testing/assertions.hpp>
#include <lariat/testing/protocols.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>

namespace lariat {
namespace {

using testing::AccumulatingFactory;
using testing::AccumulatingProtocol;
using testing::ConnectionCompleter;
using testing::MemoryReactor;
using testing::RaisingMemoryReactor;

constexpr std::uint16_t some_port = 1234;

struct ToldFactory : AccumulatingFactory {
    void started_connecting(Connector& connector) override { started = &connector; }
    void client_connection_failed(Connector&, const Failure& reason) override { failed = reason; }
    void client_connection_lost(Connector&, const Failure& reason) override { lost = reason; }
    Connector* started = nullptr;
    Failure failed;
    Failure lost;
};

TEST_CASE("V08 what is connected to is recorded, and never completes by itself") {
    MemoryReactor reactor;
    const auto factory = std::make_shared<ToldFactory>();
    const Address from("10.0.0.5:99");
    const auto connector =
        reactor.connect_tcp("example.org", some_port, factory, ConnectOptions().timeout(17s).bind_address(from));
    REQUIRE(reactor.tcp_clients.size() == 1);
    const MemoryReactor::TcpClient& asked = reactor.tcp_clients.front();
    CHECK(asked.host == "example.org");
    CHECK(asked.port == some_port);
    CHECK(asked.factory == factory);
    CHECK(asked.timeout == Duration(17s));
    CHECK(asked.bind_address == from);
    CHECK(asked.connector == connector);
    CHECK(factory->started == connector.get());
    CHECK(connector->destination() == Destination{"example.org", some_port});

    reactor.advance(16s);
    CHECK(connector->state() == Connector::State::connecting);
    CHECK(factory->protocol == nullptr);
    reactor.advance(1s);  // its timeout is a real one
    CHECK(factory->failed.check<TimeoutError>());
}

TEST_CASE("V08 what is listened on is recorded, with the defaults") {
    MemoryReactor reactor;
    const auto factory = std::make_shared<AccumulatingFactory>();
    const auto port = reactor.listen_tcp(some_port, factory);
    reactor.listen_tcp(0, factory, ListenOptions().backlog(3).interface("127.0.0.1"));
    REQUIRE(reactor.tcp_servers.size() == 2);
    CHECK(reactor.tcp_servers[0].port == some_port);
    CHECK(reactor.tcp_servers[0].factory == factory);
    CHECK(reactor.tcp_servers[0].backlog == 50);
    CHECK(reactor.tcp_servers[0].interface.empty());
    CHECK(reactor.tcp_servers[0].listening_port == port);
    CHECK(port->host().str() == "0.0.0.0:1234");
    CHECK(reactor.tcp_servers[1].backlog == 3);
    CHECK(reactor.tcp_servers[1].interface == "127.0.0.1");
    CHECK(reactor.tcp_servers[1].listening_port->host().port() > 1023);
    CHECK_THROWS_AS(reactor.listen_tcp(some_port, factory), CannotListenError);

    const Deferred<> stopped = port->stop_listening();
    testing::assert_no_result(stopped);
    reactor.advance(0s);
    testing::success_result_of(stopped);
    CHECK(factory->num_ports() == 1);
}

TEST_CASE("V08 run() makes the calls that wait for it, shuts down and returns") {
    MemoryReactor reactor;
    std::string order;
    reactor.call_when_running([&] { order += reactor.running() ? "running " : "not running "; });
    reactor.add_system_event_trigger(Phase::before, "shutdown", [&] { order += "shutdown"; });
    CHECK(reactor.run() == 0);
    CHECK(order == "running shutdown");
    CHECK_FALSE(reactor.running());
}

TEST_CASE("V08 a RaisingMemoryReactor refuses with the exceptions it was given") {
    RaisingMemoryReactor reactor(Failure(CannotListenError("", some_port, EACCES)), Failure(UsageError("no")));
    const auto factory = std::make_shared<AccumulatingFactory>();
    CHECK_THROWS_AS(reactor.listen_tcp(some_port, factory), CannotListenError);
    CHECK_THROWS_WITH(reactor.connect_tcp("127.0.0.1", some_port, factory), "no");
    CHECK(reactor.tcp_clients.empty());
    CHECK(reactor.tcp_servers.empty());
    CHECK(factory->num_ports() == 0);

    RaisingMemoryReactor harmless;
    harmless.listen_tcp(some_port, factory);
    CHECK(harmless.tcp_servers.size() == 1);
}

TEST_CASE("V09 a completed connection is one of real transports, and a pump moves what they say") {
    MemoryReactor reactor;
    const auto server = std::make_shared<AccumulatingFactory>();
    const auto client = std::make_shared<ToldFactory>();
    const auto port = reactor.listen_tcp(some_port, server);
    reactor.connect_tcp("127.0.0.1", some_port, client);
    std::optional<testing::IOPump> pump = ConnectionCompleter(reactor).succeed_once();
    REQUIRE(pump);
    REQUIRE(client->protocol->made);
    REQUIRE(server->protocol->made);
    CHECK(server->protocol->transport().peer() == client->protocol->transport().host());

    client->protocol->transport().write("hello");
    CHECK(server->protocol->data.empty());
    CHECK(pump->pump());
    CHECK(server->protocol->data == "hello");
    server->protocol->transport().lose_connection();
    CHECK(pump->flush());
    CHECK(client->protocol->closed_reason.check<ConnectionDone>());
    CHECK(client->lost.check<ConnectionDone>());
    CHECK_FALSE(ConnectionCompleter(reactor).succeed_once());
}

TEST_CASE("V09 a failed connection is told as on a network, and nothing listens elsewhere") {
    MemoryReactor reactor;
    const auto client = std::make_shared<ToldFactory>();
    reactor.listen_tcp(some_port, std::make_shared<AccumulatingFactory>());
    reactor.connect_tcp("example.org", some_port + 1, client);
    ConnectionCompleter completer(reactor);
    CHECK_FALSE(completer.succeed_once());
    completer.fail_once();
    CHECK(client->failed.check<ConnectionRefused>());
    reactor.connect_tcp("example.org", some_port + 1, client);
    completer.fail_once(ETIMEDOUT);
    CHECK(client->failed.check<TcpTimedOutError>());
    CHECK_THROWS_AS(completer.fail_once(), testing::AssertionFailed);
}

TEST_CASE("V08 whoever connects is recorded: a ClientCreator, a factory that tries again") {
    MemoryReactor reactor;
    ConnectionCompleter completer(reactor);
    ClientCreator<AccumulatingProtocol> creator(reactor);
    const auto made = creator.connect_tcp("example.org", some_port);
    CHECK(reactor.tcp_clients.back().host == "example.org");
    completer.fail_once();
    testing::failure_result_of<ConnectionRefused>(made);

    const auto patient = std::make_shared<ReconnectingClientFactory>();
    reactor.connect_tcp("far.example", some_port, patient);
    completer.fail_once();
    CHECK(reactor.tcp_clients.size() == 2);
    reactor.advance(1min);
    CHECK(reactor.tcp_clients.size() == 3);
    patient->stop_trying();
    CHECK_THROWS_AS(completer.fail_once(), testing::AssertionFailed);
}

}  // namespace
}  // namespace lariat
