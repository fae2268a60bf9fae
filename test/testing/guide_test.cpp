// SPDX-License-Identifier: MIT
// The code of docs/testing.md, so that it compiles and does what it says; the test that must fail is in dirty.cpp.
#include <lariat/io/fault/fault_backend.hpp>
#include <lariat/lariat.hpp>
#include <lariat/testing/doctest.hpp>
#include <lariat/testing/testing.hpp>

#include <doctest/doctest.h>

#include <memory>

namespace lariat {
namespace {

Task<> greet(TcpStream peer) {
    const Buffer name = co_await peer.read_some();
    co_await peer.write("hello, " + name.str() + "\n");
}
Task<> serve_greetings() {
    Listener listener("10.0.0.1:7");
    co_await listener.serve(greet);
}

LARIAT_SIM_TEST_CASE("a server greets its caller") {
    start(world().add_host("server", {"10.0.0.1"}), "serve", serve_greetings);
    TcpStream server = co_await connect("server", 7);
    co_await server.write("world");
    CHECK((co_await server.read_until("\n")).text() == "hello, world\n");
}

Task<> greet_line(TcpStream peer) {
    const Buffer name = co_await peer.read_until("\n");
    co_await peer.write("hello, " + name.str());
}

LARIAT_SIM_TEST_CASE("a server that reads lines greets its caller whatever the network does",
                     testing::TestOptions().seeds(20)) {
    start(world().add_host("server", {"10.0.0.1"}), "serve", []() -> Task<> {
        Listener listener("10.0.0.1:7");
        co_await listener.serve(greet_line);
    });
    TcpStream server = co_await connect("server", 7);
    co_await server.write("world\n");
    CHECK((co_await server.read_until("\n")).text() == "hello, world\n");
}

struct ServerTest : testing::TestCase {
    Task<> set_up() override {
        start(world().add_host("server", {"10.0.0.1"}), "serve", serve_greetings);
        stream = co_await connect("server", 7);
        add_cleanup([this]() -> Task<> { co_await stream.close(); });
    }
    TcpStream stream;
};

LARIAT_SIM_TEST_CASE_FIXTURE(ServerTest, "a caller without a name is not greeted") {
    stream.shutdown_write();
    CHECK((co_await stream.read_until("\n")).text() == "hello, \n");
}

Task<> echo(TcpStream peer) {
    while (Buffer data = co_await peer.read_some()) co_await peer.write(std::move(data));
}
Task<> echo_for_a_while() {
    Listener listener(Address::loopback(0));
    const auto talk = [](Address to) -> Task<> {
        TcpStream stream = co_await connect(to);
        for (int i = 0; i < 50; ++i) {
            co_await stream.write("hello");
            CHECK((co_await stream.read_exactly(5)).text() == "hello");
        }
    };
    const JoinHandle<> talking = spawn(talk, listener.local_address());
    co_await echo(co_await listener.accept());
    co_await talking;
}

TEST_CASE("an echo survives what a kernel may do on a bad day") {
    auto faulty =
        std::make_unique<io::FaultBackend>(io::make_backend(io::BackendKind::epoll), io::FaultPlan(7).disturb(200));
    const io::FaultCounts& counts = faulty->counts();
    Reactor reactor(std::move(faulty));
    CHECK(run(reactor, echo_for_a_while()) == 0);
    CHECK(counts[io::Fault::short_read] > 0);  // it did happen
}

struct Shouting : Protocol {
    void data_received(Bytes data) override {
        if (data.text() == "quit") return transport().lose_connection();
        transport().write(data.str() + "!");
    }
};

TEST_CASE("it shouts, and leaves when asked to") {
    testing::StringTransport transport;
    auto protocol = std::make_shared<Shouting>();
    protocol->make_connection(transport);
    protocol->data_received("hello");
    CHECK(transport.value() == "hello!");
    protocol->data_received("quit");
    CHECK(transport.disconnecting());
}

TEST_CASE("a caller hears the echo of what it said") {
    auto pair = testing::connected_server_and_client(std::make_shared<Shouting>(),
                                                     std::make_shared<testing::AccumulatingProtocol>());
    pair.client->transport().write("hello");
    CHECK(pair.pump.pump());  // one round: to the server
    CHECK(pair.client->data.empty());
    CHECK(pair.pump.flush());  // until nothing moves any more
    CHECK(pair.client->data == "hello!");
    pair.client->transport().write("quit");
    pair.pump.flush();
    CHECK(pair.client->closed_reason.check<ConnectionDone>());
}

TEST_CASE("a limit passes when the clock says so") {
    testing::Clock clock;
    Deferred<> answer;
    answer.add_timeout(30s, clock);
    clock.advance(29s);
    testing::assert_no_result(answer);
    clock.advance(1s);
    testing::failure_result_of<TimedOut>(answer);
}

TEST_CASE("a client tries again after a refusal") {
    testing::MemoryReactor reactor;
    auto factory = std::make_shared<ReconnectingClientFactory>();
    factory->set_protocol<testing::AccumulatingProtocol>();
    reactor.connect_tcp("example.org", 7, factory);
    CHECK(reactor.tcp_clients.back().host == "example.org");
    testing::ConnectionCompleter completer(reactor);
    completer.fail_once();  // ConnectionRefused, or any errno
    reactor.advance(1min);
    CHECK(reactor.tcp_clients.size() == 2);
    factory->stop_trying();
}

}  // namespace
}  // namespace lariat
