// SPDX-License-Identifier: MIT
// Protocols and factories by themselves: no socket is opened here.
#include "scripted.hpp"
#include <lariat/io/base/log.hpp>

#include <cerrno>
#include <memory>

namespace lariat::test {
namespace {

/// A carrier that keeps what was written.
class StringTransport final : public Transport {
public:
    void write(Bytes data) override { written += data.text(); }
    void lose_connection() override { lost = true; }
    void lose_write_connection() override {}
    [[nodiscard]] Address peer() const override { return "192.168.1.1:54321"; }
    [[nodiscard]] Address host() const override { return "10.0.0.1:12345"; }
    void pause_producing() override {}
    void resume_producing() override {}
    void register_producer(PushProducer&) override {}
    void register_producer(PullProducer&) override {}
    void unregister_producer() override {}
    [[nodiscard]] bool connected() const noexcept override { return !lost; }
    [[nodiscard]] bool disconnecting() const noexcept override { return lost; }

    std::string written;
    bool lost = false;
};

class Greeter final : public Protocol {
public:
    explicit Greeter(std::string text = "hello") : text_(std::move(text)) {}
    void connection_made() override { transport().write(text_); }

private:
    std::string text_;
};

template <class T>
class Wrapped final : public Protocol {};

class CountingFactory final : public ServerFactory {
public:
    explicit CountingFactory(int first = 0) : number(first) {}
    void start_factory() override { record += "start "; }
    void stop_factory() override { record += "stop "; }

    int number;
    std::string record;
};

TEST_CASE("F01 a protocol has a transport and is connected from make_connection on, for ever") {
    StringTransport transport;
    Events events;
    Scripted protocol(events, "protocol", Script());
    CHECK(!protocol.connected());
    CHECK(!protocol.has_factory());
    protocol.make_connection(transport);
    CHECK(events == Events{"protocol made"});
    CHECK(protocol.connected());
    CHECK(&protocol.transport() == &transport);
    protocol.connection_lost(Failure(ConnectionDone()));
    CHECK(protocol.connected());
    CHECK(&protocol.transport() == &transport);
}

TEST_CASE("F01 a protocol keeps a transport that a shared_ptr owns") {
    auto transport = std::make_shared<StringTransport>();
    const std::weak_ptr<StringTransport> watched = transport;
    auto protocol = std::make_unique<Greeter>();
    protocol->make_connection(*transport);
    transport.reset();
    CHECK(watched.lock()->written == "hello");
    protocol.reset();
    CHECK(watched.expired());
}

TEST_CASE("F02 the callbacks of a protocol do nothing unless overridden") {
    StringTransport transport;
    Protocol protocol;
    protocol.make_connection(transport);
    protocol.data_received("data");
    protocol.connection_lost(Failure(ConnectionDone()));
    CHECK(transport.written.empty());
    CHECK(!transport.lost);
}

TEST_CASE("F03 the default build_protocol makes the class that was set, with its factory") {
    auto factory = std::make_shared<CountingFactory>(7);
    factory->set_protocol<Greeter>("good day");
    const ProtocolPtr first = factory->build_protocol(Address());
    const ProtocolPtr second = factory->build_protocol(Address());
    CHECK(first != second);
    CHECK(&first->factory() == factory.get());
    CHECK(first->factory_as<CountingFactory>().number == 7);
    CHECK(&first->factory_as<ServerFactory>() == factory.get());
    StringTransport transport;
    second->make_connection(transport);
    CHECK(transport.written == "good day");
}

TEST_CASE("F03 a protocol holds its factory") {
    auto factory = std::make_shared<CountingFactory>();
    const std::weak_ptr<Factory> watched = factory;
    factory->set_protocol<Greeter>();
    ProtocolPtr protocol = factory->build_protocol(Address());
    factory.reset();
    CHECK(!watched.expired());
    protocol.reset();
    CHECK(watched.expired());
}

TEST_CASE("F03 a build_protocol of one's own says itself whether the protocol knows the factory") {
    struct Own : ClientFactory {
        ProtocolPtr build_protocol(const Address& peer) override {
            if (peer.port() == 1) return std::make_shared<Greeter>();
            if (peer.port() == 2) return build<Greeter>("built");
            return nullptr;
        }
    };
    auto factory = std::make_shared<Own>();
    CHECK(!factory->build_protocol(Address::loopback(1))->has_factory());
    CHECK(&factory->build_protocol(Address::loopback(2))->factory() == factory.get());
    CHECK(factory->build_protocol(Address::loopback(3)) == nullptr);
}

TEST_CASE("F04 for_protocol makes a factory of a class with the arguments, and sets its protocol") {
    auto factory = for_protocol<Greeter, CountingFactory>(42);
    CHECK(factory->number == 42);
    CHECK(dynamic_cast<Greeter*>(factory->build_protocol(Address()).get()) != nullptr);
}

TEST_CASE("F04 factory_for makes protocols with copies of its arguments") {
    std::string text = "first";
    auto factory = factory_for<Greeter>(text);
    text = "second";
    StringTransport transport;
    factory->build_protocol(Address())->make_connection(transport);
    CHECK(transport.written == "first");
}

TEST_CASE("F05 factories count their ports: start at the first, stop at the last, and one stop too many is ignored") {
    CountingFactory factory;
    factory.do_stop();
    CHECK(factory.num_ports() == 0);
    factory.do_start();
    factory.do_start();
    CHECK(factory.num_ports() == 2);
    CHECK(factory.record == "start ");
    factory.do_stop();
    CHECK(factory.record == "start ");
    factory.do_stop();
    CHECK(factory.record == "start stop ");
    factory.do_stop();
    CHECK(factory.num_ports() == 0);
    factory.do_start();
    CHECK(factory.record == "start stop start ");
}

TEST_CASE("F05 a noisy factory logs its start and its stop, another does not") {
    CapturedLogs logs;
    CountingFactory factory;
    CHECK(factory.noisy());
    factory.do_start();
    CHECK(logs.count("Starting factory CountingFactory") == 1);
    factory.do_stop();
    CHECK(logs.count("Stopping factory CountingFactory") == 1);
    logs.clear();
    factory.set_noisy(false);
    factory.do_start();
    factory.do_stop();
    CHECK(logs.events().empty());
}

TEST_CASE("F06 a client factory's callbacks do nothing unless overridden; any factory can be a server's") {
    static_assert(std::is_base_of_v<Factory, ClientFactory>);
    static_assert(std::is_base_of_v<Factory, ServerFactory>);
    Reactor reactor(ReactorOptions().backend(io::BackendKind::epoll));
    auto factory = std::make_shared<ClientFactory>();
    auto connector = Connector::create(reactor, Destination{"127.0.0.1", 1}, factory, ConnectOptions());
    factory->started_connecting(*connector);
    factory->client_connection_failed(*connector, Failure(UserError()));
    factory->client_connection_lost(*connector, Failure(ConnectionDone()));
    CHECK(connector->state() == Connector::State::disconnected);
    CHECK(factory->num_ports() == 0);
}

TEST_CASE("F07 log prefixes are class names, without namespaces and template arguments") {
    CHECK(Greeter().log_prefix() == "Greeter");
    CHECK(Wrapped<std::pair<int, std::string>>().log_prefix() == "Wrapped");
    CHECK(CountingFactory().log_prefix() == "CountingFactory");
    CHECK(ClientFactory().log_prefix() == "ClientFactory");
    struct Inside : Protocol {};
    CHECK(Inside().log_prefix() == "Inside");
}

TEST_CASE("F08 half-closing is an optional interface beside Protocol") {
    static_assert(!std::is_base_of_v<Protocol, HalfCloseableProtocol>);
    Events events;
    const ProtocolPtr half = std::make_shared<HalfScripted>(events, "half", Script());
    const ProtocolPtr plain = std::make_shared<Scripted>(events, "plain", Script());
    CHECK(dynamic_cast<HalfCloseableProtocol*>(half.get()) != nullptr);
    CHECK(dynamic_cast<HalfCloseableProtocol*>(plain.get()) == nullptr);
}

TEST_CASE("F12 the errors of connections have Twisted's texts and descent") {
    CHECK(std::string(ConnectionDone().what()) == "Connection was closed cleanly.");
    CHECK(std::string(ConnectionLost().what()) == "Connection to the other side was lost in a non-clean fashion.");
    CHECK(std::string(ConnectionLost("it broke").what())
          == "Connection to the other side was lost in a non-clean fashion: it broke.");
    CHECK(std::string(UserError().what()) == "User aborted connection.");
    CHECK(std::string(TimeoutError().what()) == "User timeout caused connection failure.");
    static_assert(std::is_base_of_v<ConnectionClosed, ConnectionDone>);
    static_assert(std::is_base_of_v<ConnectionLost, ConnectionAborted>);
    static_assert(std::is_base_of_v<ConnectError, ConnectionRefused>);
    static_assert(std::is_base_of_v<ConnectError, ServiceNameUnknownError>);
    static_assert(std::is_base_of_v<UserError, TimeoutError>);
}

TEST_CASE("C06 the errno of a connect decides the class, which keeps it") {
    CHECK(why(connect_error_from(ECONNREFUSED)) == "ConnectionRefused");
    CHECK(why(connect_error_from(ENETUNREACH)) == "NoRouteError");
    CHECK(why(connect_error_from(ETIMEDOUT)) == "TcpTimedOutError");
    CHECK(why(connect_error_from(EHOSTUNREACH)) == "ConnectError");
    CHECK(connect_error_from(EHOSTUNREACH).value<ConnectError>()->os_error() == EHOSTUNREACH);
}

TEST_CASE("X01 a Transport of one's own needs nothing but the interface") {
    StringTransport transport;
    Transport& interface = transport;
    interface.write(Buffer::copy_of("a"));
    interface.write_sequence({"b", "c"});
    CHECK(transport.written == "abc");
    CHECK(interface.hold("kept").text() == "kept");
    interface.abort_connection();
    CHECK(transport.lost);
}

}  // namespace
}  // namespace lariat::test
