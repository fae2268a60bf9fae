// SPDX-License-Identifier: MIT
// Connecting: Connector and Reactor::connect_tcp.
#include "scripted.hpp"
#include <lariat/io/base/log.hpp>
#include <lariat/io/base/unique_fd.hpp>

#include <netdb.h>
#include <stdexcept>
#include <sys/socket.h>

namespace lariat::test {
namespace {

/// A port of the loopback interface where nobody listens, until this dies.
class ClosedPort {
public:
    ClosedPort() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        const Address any = Address::loopback(0);
        REQUIRE(bind(socket_.get(), any.data(), any.size()) == 0);
        sockaddr_storage bound{};
        socklen_t size = sizeof bound;
        REQUIRE(getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&bound), &size) == 0);
        address_ = Address::from_sockaddr(reinterpret_cast<sockaddr*>(&bound), size);
    }
    [[nodiscard]] std::uint16_t number() const { return address_.port(); }

private:
    UniqueFd socket_;
    Address address_;
};

/// Answers every query when the test says so, or not at all.
class HeldResolver final : public NameResolver {
public:
    void look_up(const Query& query, Answer answer) override {
        queries.push_back(query);
        answers.push_back(std::move(answer));
    }
    std::vector<Query> queries;
    std::vector<Answer> answers;
};

LARIAT_BACKEND_TEST_CASE("C01 connect_tcp returns a Connector in state connecting, and connects in a later turn") {
    Loop loop(backend_kind);
    auto port = loop.listen(loop.idle_factory("server"));
    loop.take();
    const auto descriptors = loop.reactor.backend().ledger().descriptors;
    auto connector = loop.connect(*port, loop.idle_factory("client"));
    CHECK(connector->state() == Connector::State::connecting);
    CHECK(connector->transport() == nullptr);
    CHECK(loop.reactor.backend().ledger().descriptors == descriptors);
    CHECK(ConnectOptions().timeout() == std::chrono::seconds(30));
    CHECK(!ConnectOptions().bind_address());
    loop.until([&] { return loop.saw("client made"); });
    CHECK(connector->state() == Connector::State::connected);
}

LARIAT_BACKEND_TEST_CASE("C02 connect_tcp starts the factory and then calls started_connecting, before it returns") {
    Loop loop(backend_kind);
    auto port = loop.listen(factory_for<Protocol>());
    auto factory = loop.idle_factory("client");
    auto connector = loop.connect(*port, factory);
    CHECK(loop.take() == Events{"client factory start", "client factory connecting"});
    CHECK_THROWS_AS(connector->connect(), UsageError);
    loop.until([&] { return loop.saw("client made"); });
    CHECK_THROWS_AS(connector->connect(), UsageError);
    CHECK(factory->num_ports() == 1);
}

LARIAT_BACKEND_TEST_CASE("C03 on success the connector is connected and its timer gone before build_protocol") {
    Loop loop(backend_kind);
    auto port = loop.listen(factory_for<Protocol>());
    std::shared_ptr<Connector> connector;
    Address built_for;
    auto factory = loop.factory("client factory", [&](const Address& peer) {
        built_for = peer;
        CHECK(connector->state() == Connector::State::connected);
        CHECK(loop.reactor.delayed_calls().empty());
        return std::make_shared<Scripted>(loop.events, "client", Script());
    });
    connector = loop.connect(*port, factory);
    CHECK(loop.reactor.delayed_calls().size() == 2);  // the beginning and the timeout
    loop.take();
    loop.until([&] { return loop.saw("client made"); });
    CHECK(loop.events == Events{"client factory build", "client made"});
    CHECK(built_for == port->host());
}

LARIAT_BACKEND_TEST_CASE("C04 a client factory that builds null gets client_connection_lost, not failed") {
    Loop loop(backend_kind);
    auto port = loop.listen(factory_for<Protocol>());
    auto factory = loop.factory("client factory", [](const Address&) { return nullptr; });
    auto connector = loop.connect(*port, factory);
    loop.take();
    loop.until([&] { return loop.saw("client factory stop"); });
    CHECK(loop.events == Events{"client factory build", "client factory lost ConnectionDone", "client factory stop"});
    CHECK(connector->state() == Connector::State::disconnected);
}

LARIAT_BACKEND_TEST_CASE(
    "C05 C06 a refused connection is told once, to a disconnected connector, and stops the factory") {
    Loop loop(backend_kind);
    const ClosedPort closed;
    auto factory = loop.idle_factory("client");
    factory->on_failed = [&](Connector& connector, const Failure&) {
        CHECK(connector.state() == Connector::State::disconnected);
    };
    loop.reactor.connect_tcp("127.0.0.1", closed.number(), factory);
    loop.until([&] { return loop.saw("client factory stop"); });
    loop.settle();
    CHECK(loop.events
          == Events{"client factory start", "client factory connecting", "client factory failed ConnectionRefused",
                    "client factory stop"});
    CHECK(factory->failure.check<ConnectError>());
    CHECK(factory->failure.value<ConnectionRefused>()->os_error() == ECONNREFUSED);
    CHECK(factory->failure.error_message() == "Connection was refused by other side: 111: Connection refused.");
}

LARIAT_BACKEND_TEST_CASE("C05 connect() inside client_connection_failed keeps the factory started") {
    Loop loop(backend_kind);
    const ClosedPort closed;
    auto factory = loop.idle_factory("client");
    int left = 2;
    factory->on_failed = [&](Connector& connector, const Failure&) {
        if (left-- > 0) connector.connect();
    };
    loop.reactor.connect_tcp("127.0.0.1", closed.number(), factory);
    loop.until([&] { return loop.saw("client factory stop"); });
    CHECK(loop.events
          == Events{"client factory start", "client factory connecting", "client factory failed ConnectionRefused",
                    "client factory connecting", "client factory failed ConnectionRefused", "client factory connecting",
                    "client factory failed ConnectionRefused", "client factory stop"});
    CHECK(factory->num_ports() == 0);
}

LARIAT_BACKEND_TEST_CASE("C06 a name that cannot be looked up is a DNSLookupError") {
    Loop loop(backend_kind);
    auto names = std::make_shared<HeldResolver>();
    loop.reactor.install_name_resolver(names);
    auto factory = loop.idle_factory("client");
    loop.reactor.connect_tcp("no.such.host", 80, factory);
    loop.until([&] { return !names->answers.empty(); });
    names->answers[0](ResolveResult{{}, Failure(DNSLookupError("no.such.host"))});
    loop.until([&] { return loop.saw("client factory stop"); });
    CHECK(loop.saw("client factory failed DNSLookupError"));
    CHECK(factory->failure.check<ConnectError>());
}

LARIAT_BACKEND_TEST_CASE("C07 the timeout is a TimeoutError, a kind of UserError, and covers the name lookup") {
    Loop loop(backend_kind);
    auto names = std::make_shared<HeldResolver>();
    loop.reactor.install_name_resolver(names);
    auto factory = loop.idle_factory("client");
    loop.reactor.connect_tcp("a.slow.host", 80, factory, ConnectOptions().timeout(std::chrono::milliseconds(20)));
    loop.until([&] { return loop.saw("client factory stop"); });
    CHECK(names->queries.size() == 1);
    CHECK(loop.saw("client factory failed TimeoutError"));
    CHECK(factory->failure.check<UserError>());
    CHECK(factory->failure.error_message() == "User timeout caused connection failure.");
    names->answers[0](ResolveResult{{Address::loopback(80)}, {}});  // nobody waits for it any more
    loop.settle();
    CHECK(loop.events.size() == 4);
}

LARIAT_BACKEND_TEST_CASE("C02 C07 without a timeout there is no timer") {
    Loop loop(backend_kind);
    auto names = std::make_shared<HeldResolver>();
    loop.reactor.install_name_resolver(names);
    auto connector =
        loop.reactor.connect_tcp("a.slow.host", 80, loop.idle_factory("client"), ConnectOptions().no_timeout());
    loop.until([&] { return !names->queries.empty(); });
    CHECK(loop.reactor.delayed_calls().empty());
    connector->stop_connecting();
}

LARIAT_BACKEND_TEST_CASE("C08 the protocol hears of the loss before the factory, and the factory stops last") {
    Loop loop(backend_kind);
    auto port = loop.listen(factory_for<Protocol>());
    auto factory = loop.idle_factory("client");
    factory->on_lost = [&](Connector& connector, const Failure&) {
        CHECK(connector.state() == Connector::State::disconnected);
        CHECK(connector.transport() == nullptr);
    };
    auto connector = loop.connect(*port, factory);
    loop.until([&] { return loop.saw("client made"); });
    loop.take();
    connector->disconnect();
    CHECK(loop.events.empty());
    loop.until([&] { return loop.saw("client factory stop"); });
    CHECK(loop.events
          == Events{"client lost ConnectionDone", "client factory lost ConnectionDone", "client factory stop"});
}

LARIAT_BACKEND_TEST_CASE(
    "C02 C08 connect() inside client_connection_lost connects again without stopping the factory") {
    Loop loop(backend_kind);
    auto port = loop.listen(factory_for<Protocol>());
    auto factory = loop.idle_factory("client");
    factory->on_lost = [](Connector& connector, const Failure&) { connector.connect(); };
    auto connector = loop.connect(*port, factory);
    loop.until([&] { return loop.saw("client made"); });
    loop.take();
    connector->disconnect();
    loop.until([&] { return loop.saw("client made"); });
    CHECK(loop.events
          == Events{"client lost ConnectionDone", "client factory lost ConnectionDone", "client factory connecting",
                    "client factory build", "client made"});
    CHECK(factory->num_ports() == 1);
    factory->on_lost = {};
    connector->disconnect();
    loop.until([&] { return loop.saw("client factory stop"); });
    CHECK(factory->num_ports() == 0);
}

LARIAT_BACKEND_TEST_CASE("C08 X24 the notifications go on when a callback throws, unlike in Twisted") {
    CapturedLogs logs;
    Loop loop(backend_kind);
    auto port = loop.listen(factory_for<Protocol>());
    auto factory = loop.factory("client factory", [&](const Address&) {
        return std::make_shared<Scripted>(loop.events, "client", Script{.made = {}, .data = {}, .lost = [](auto&&...) {
                                                                            throw std::runtime_error("first bug");
                                                                        }});
    });
    factory->on_lost = [](Connector&, const Failure&) { throw std::runtime_error("second bug"); };
    factory->on_stop = [] { throw std::runtime_error("third bug"); };
    auto connector = loop.connect(*port, factory);
    loop.until([&] { return loop.saw("client made"); });
    loop.take();
    connector->disconnect();
    loop.until([&] { return loop.saw("client factory stop"); });
    CHECK(loop.events
          == Events{"client lost ConnectionDone", "client factory lost ConnectionDone", "client factory stop"});
    CHECK(logs.count("first bug") == 1);
    CHECK(logs.count("second bug") == 1);
    CHECK(logs.count("third bug") == 1);
}

LARIAT_BACKEND_TEST_CASE("C09 stop_connecting calls client_connection_failed from within, with a UserError") {
    Loop loop(backend_kind);
    auto port = loop.listen(factory_for<Protocol>());
    auto factory = loop.idle_factory("client");
    auto connector = loop.connect(*port, factory);
    loop.take();
    connector->stop_connecting();
    CHECK(loop.take() == Events{"client factory failed UserError", "client factory stop"});
    CHECK(factory->failure.error_message() == "User aborted connection.");
    CHECK(connector->state() == Connector::State::disconnected);
    CHECK_THROWS_AS(connector->stop_connecting(), NotConnectingError);
    loop.settle();
    CHECK(loop.events.empty());
    connector->connect();
    loop.until([&] { return loop.saw("client made"); });
    CHECK_THROWS_AS(connector->stop_connecting(), NotConnectingError);
}

LARIAT_BACKEND_TEST_CASE("C09 stop_connecting works inside started_connecting and while the socket is connecting") {
    Loop loop(backend_kind);
    auto port = loop.listen(factory_for<Protocol>());
    auto factory = loop.idle_factory("client");
    SUBCASE("inside") {
        factory->on_connecting = [](Connector& connector) { connector.stop_connecting(); };
        auto connector = loop.connect(*port, factory);
        CHECK(connector->state() == Connector::State::disconnected);
    }
    SUBCASE("while connecting") {
        auto connector = loop.connect(*port, factory);
        // Runs behind the beginning of the attempt, in the same turn, before its completion can be seen.
        loop.reactor.call_later(Duration::zero(), [connector] { connector->stop_connecting(); });
    }
    loop.until([&] { return loop.saw("client factory stop"); });
    loop.settle();
    CHECK(loop.events
          == Events{"client factory start", "client factory connecting", "client factory failed UserError",
                    "client factory stop"});
}

LARIAT_BACKEND_TEST_CASE("C10 disconnect() does what the state asks for, and destination() is what was given") {
    Loop loop(backend_kind);
    auto port = loop.listen(factory_for<Protocol>());
    auto connector = loop.connect(*port, loop.idle_factory("client"));
    CHECK(connector->destination() == Destination{"127.0.0.1", port->host().port()});
    loop.take();
    connector->disconnect();
    CHECK(loop.take() == Events{"client factory failed UserError", "client factory stop"});
    connector->disconnect();
    CHECK(loop.events.empty());
    connector->connect();
    loop.until([&] { return loop.saw("client made"); });
    connector->disconnect();
    CHECK(connector->transport()->disconnecting());
    loop.until([&] { return loop.saw("client factory stop"); });
    auto named = Connector::create(loop.reactor, Destination{"example.org", 80}, factory_for<Protocol>(), {});
    CHECK(named->destination().host == "example.org");
    CHECK(named->destination().str() == "example.org:80");
    CHECK((Destination{"::1", 80}).str() == "[::1]:80");
}

LARIAT_BACKEND_TEST_CASE("C11 the port may be the name of a service; an unknown one is thrown by connect_tcp") {
    Loop loop(backend_kind);
    auto factory = loop.idle_factory("client");
    CHECK_THROWS_AS(loop.reactor.connect_tcp("127.0.0.1", "no-such-service", factory), ServiceNameUnknownError);
    CHECK(loop.events.empty());
    REQUIRE(getservbyname("telnet", "tcp") != nullptr);  // the system has a list of services
    auto connector = loop.reactor.connect_tcp("127.0.0.1", "telnet", factory);
    CHECK(connector->destination().port == 23);
    connector->stop_connecting();
}

LARIAT_BACKEND_TEST_CASE("C12 bind_address is where the connection comes from") {
    Loop loop(backend_kind);
    auto port = loop.listen(loop.idle_factory("server"));
    auto connector = loop.connect(*port, loop.idle_factory("client"), ConnectOptions().bind_address("127.0.0.5:0"));
    loop.until([&] { return loop.saw("client made"); });
    CHECK(connector->transport()->host().host() == "127.0.0.5");
}

LARIAT_BACKEND_TEST_CASE("C12 an address that cannot be bound is a ConnectBindError, told from the loop") {
    Loop loop(backend_kind);
    auto port = loop.listen(factory_for<Protocol>());
    auto factory = loop.idle_factory("client");
    loop.connect(*port, factory, ConnectOptions().bind_address(port->host()));
    CHECK(!loop.saw("client factory stop"));
    loop.until([&] { return loop.saw("client factory stop"); });
    CHECK(loop.saw("client factory failed ConnectBindError"));
    CHECK(factory->failure.value<ConnectBindError>()->os_error() == EADDRINUSE);
}

LARIAT_BACKEND_TEST_CASE("C13 names are resolved to one IPv4 address; literals of both families are not looked up") {
    Loop loop(backend_kind);
    auto names = std::make_shared<HeldResolver>();
    loop.reactor.install_name_resolver(names);
    auto port = loop.listen(factory_for<Protocol>());
    const std::uint16_t number = port->host().port();
    loop.reactor.connect_tcp("a.host", number, loop.idle_factory("named"));
    loop.until([&] { return !names->answers.empty(); });
    CHECK(names->queries[0].host == "a.host");
    CHECK(names->queries[0].family == Address::Family::ipv4);
    names->answers[0](ResolveResult{{Address::loopback(number), Address("127.0.0.2:1")}, {}});
    loop.until([&] { return loop.saw("named made"); });

    auto six = loop.reactor.listen_tcp(0, factory_for<Protocol>(), ListenOptions().interface("::1"));
    loop.reactor.connect_tcp("::1", six->host().port(), loop.idle_factory("six"));
    loop.connect(*port, loop.idle_factory("four"));
    loop.until([&] { return loop.saw("six made") && loop.saw("four made"); });
    CHECK(names->queries.size() == 1);
}

LARIAT_BACKEND_TEST_CASE("C14 many connections begun in one turn all complete, each once") {
    Loop loop(backend_kind);
    auto port = loop.listen(factory_for<Protocol>());
    constexpr int count = 30;
    std::vector<std::shared_ptr<Connector>> connectors;
    for (int i = 0; i < count; ++i) connectors.push_back(loop.connect(*port, loop.idle_factory("client")));
    loop.until([&] { return std::count(loop.events.begin(), loop.events.end(), "client made") == count; });
    loop.settle();
    CHECK(std::count(loop.events.begin(), loop.events.end(), "client factory build") == count);
    for (const auto& connector : connectors) CHECK(connector->state() == Connector::State::connected);
}

LARIAT_BACKEND_TEST_CASE("X24 what escapes a client's build_protocol is logged and a failed connection") {
    CapturedLogs logs;
    Loop loop(backend_kind);
    auto port = loop.listen(factory_for<Protocol>());
    auto factory =
        loop.factory("client factory", [](const Address&) -> ProtocolPtr { throw std::runtime_error("a bug"); });
    loop.connect(*port, factory);
    loop.take();
    loop.until([&] { return loop.saw("client factory stop"); });
    CHECK(loop.events == Events{"client factory build", "client factory failed ConnectError", "client factory stop"});
    CHECK(factory->failure.error_message() == "An error occurred while connecting: a bug.");
    CHECK(logs.count("a bug") == 1);
}

LARIAT_BACKEND_TEST_CASE("R13 an attempt to connect fails when the reactor shuts down") {
    Loop loop(backend_kind);
    auto names = std::make_shared<HeldResolver>();
    loop.reactor.install_name_resolver(names);
    auto connector = loop.reactor.connect_tcp("a.slow.host", 80, loop.idle_factory("client"));
    loop.until([&] { return !names->queries.empty(); });
    loop.take();
    loop.reactor.call_when_running([&] { loop.reactor.stop(); });
    loop.reactor.run(false);
    CHECK(loop.events == Events{"client factory failed ConnectError", "client factory stop"});
    CHECK(connector->state() == Connector::State::disconnected);
}

LARIAT_BACKEND_TEST_CASE("a connector that nobody holds connects, and may outlive its reactor") {
    std::shared_ptr<Connector> kept;
    std::weak_ptr<Connector> watched;
    {
        Loop loop(backend_kind);
        auto port = loop.listen(factory_for<Protocol>());
        loop.connect(*port, loop.idle_factory("dropped"));
        loop.until([&] { return loop.saw("dropped made"); });
        kept = loop.connect(*port, factory_for<Protocol>());
        watched = loop.connect(*port, loop.idle_factory("never begun"));
    }
    CHECK(watched.expired());
    CHECK(kept->transport() == nullptr);
}

}  // namespace
}  // namespace lariat::test
