// SPDX-License-Identifier: MIT
// Streams over transports: as_protocol() at one end and as_stream() at the other do what streams over sockets do.
#include <lariat/proto/stream_protocol.hpp>

#include <lariat/coro/sync/event.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/proto/connector.hpp>
#include <lariat/proto/port.hpp>
#include <lariat/test/support/coro_world.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace lariat {
namespace {

/// Both ends of a connection, as they are made.
class Ends {
public:
    void put(TcpStream& end, TcpStream stream) {
        end = std::move(stream);
        if (a.is_valid() && b.is_valid()) both.set();
    }

    TcpStream a;
    TcpStream b;
    Event both;
};

class TurnsIntoStream : public Protocol {
public:
    explicit TurnsIntoStream(Ends& ends) : ends_(ends) {}
    void connection_made() override { ends_.put(ends_.a, as_stream(transport())); }

private:
    Ends& ends_;
};

Task<> hands_over(TcpStream stream, Ends& ends) {
    ends.put(ends.b, std::move(stream));
    co_return;
}

std::shared_ptr<Port> listen(std::shared_ptr<Factory> factory) {
    return Reactor::current()->listen_tcp(0, std::move(factory), ListenOptions().interface("127.0.0.1"));
}

Task<test::StreamPair> connected() {
    Ends ends;
    const std::shared_ptr<Port> port = listen(as_protocol(hands_over, std::ref(ends)));
    Reactor::current()->connect_tcp("127.0.0.1", port->host().port(), factory_for<TurnsIntoStream>(std::ref(ends)));
    co_await ends.both.wait();
    co_await port->stop_listening();
    co_return test::StreamPair(std::move(ends.a), std::move(ends.b));
}

}  // namespace
}  // namespace lariat

#include <lariat/test/support/stream_behaviours.hpp>

namespace lariat {
namespace {

struct Greeted : ServerFactory {
    int connections = 0;
    Event ended;
};

/// A line each way, spoken by a coroutine with the factory at hand.
class Greeter : public CoProtocol {
public:
    ~Greeter() override { factory_as<Greeted>().ended.set(); }
    Task<> run(TcpStream stream) override {
        const int number = ++factory_as<Greeted>().connections;
        const Buffer name = co_await stream.read_until("\n");
        co_await stream.write("hello " + name.str() + std::to_string(number) + "\n");
    }
};

Task<> greets() {
    const auto factory = for_protocol<Greeter, Greeted>();
    const std::shared_ptr<Port> port = listen(factory);
    for (const char* answer : {"hello you\n1\n", "hello you\n2\n"}) {
        TcpStream client = co_await connect(port->host());
        co_await client.write("you\n");
        CHECK(co_await read_exactly(client, 12) == answer);
        CHECK(co_await read_some(client) == "");  // run() has ended
        co_await client.close();
        co_await factory->ended.wait();
        factory->ended.reset();
    }
    co_await port->stop_listening();
}
LARIAT_BACKEND_TEST_CASE("a CoProtocol speaks with run(), has its factory, and lives no longer") {
    run_on(backend_kind, greets);
}

Task<> fails(TcpStream stream) {
    co_await stream.write("this is dropped");
    throw ProtocolViolation("no such thing");
}
Task<> failing() {
    CapturedLogs logs;
    const std::shared_ptr<Port> port = listen(as_protocol(fails));
    TcpStream client = co_await connect(port->host());
    CHECK((co_await outcome_of(read_exactly(client, 100))).starts_with("ConnectionLost: "));
    CHECK(logs.count("Unhandled error in run()") == 1);
    CHECK(logs.count("ProtocolViolation: no such thing") == 1);
    co_await port->stop_listening();
}
LARIAT_BACKEND_TEST_CASE("what leaves the coroutine of a protocol is logged and aborts its connection") {
    run_on(backend_kind, failing);
}

Task<> waits(TcpStream stream, std::string& outcome) { co_await record(outcome, read_some(stream)); }
Task<> is_shut_down(std::string& outcome) {
    const std::shared_ptr<Port> port = listen(as_protocol(waits, std::ref(outcome)));
    const TcpStream client = co_await connect(port->host());
    while (outcome.empty()) co_await yield();
    Reactor::current()->stop();
    co_await sleep(test::an_hour);
}
LARIAT_BACKEND_TEST_CASE("the shutdown of the reactor cancels the coroutines of protocols") {
    std::string outcome;
    Reactor reactor(ReactorOptions().backend(backend_kind));
    CHECK(run(reactor, is_shut_down(outcome)) == 0);
    CHECK(outcome == "Cancelled: shutdown");
}

/// Speaks lines with callbacks until it hears "upgrade", then a coroutine echoes what follows, also in the same packet.
class Upgrades : public Protocol {
public:
    void data_received(Bytes data) override {
        REQUIRE(data.text().starts_with("upgrade\n"));
        transport().write("upgraded\n");
        spawn(echo, as_stream(transport(), data.skip(8)));
    }
    void connection_lost(const Failure&) override { FAIL("the protocol before heard of the end"); }
};
Task<> upgrading() {
    const std::shared_ptr<Port> port = listen(factory_for<Upgrades>());
    TcpStream client = co_await connect(port->host());
    co_await client.write("upgrade\nand ");
    CHECK(co_await read_exactly(client, 13) == "upgraded\nand ");
    co_await client.write("more");
    CHECK(co_await read_exactly(client, 4) == "more");
    client.shutdown_write();
    CHECK(co_await read_some(client) == "");
    co_await port->stop_listening();
}
LARIAT_BACKEND_TEST_CASE("as_stream() takes a transport over in the middle of what it received") {
    run_on(backend_kind, upgrading);
}

class RefusesSwitch : public Protocol {
public:
    explicit RefusesSwitch(std::string& outcome) : outcome_(outcome) {}
    void connection_made() override { transport().lose_connection(); }
    void connection_lost(const Failure&) override {
        try {
            (void)as_stream(transport());
        } catch (const UsageError& error) {
            outcome_ = error.what();
        }
    }

private:
    std::string& outcome_;
};
Task<> too_late() {
    std::string outcome;
    const std::shared_ptr<Port> port = listen(factory_for<RefusesSwitch>(std::ref(outcome)));
    TcpStream client = co_await connect(port->host());
    CHECK(co_await read_some(client) == "");
    co_await client.close();
    while (outcome.empty()) co_await yield();
    CHECK(outcome == "as_stream() was given a transport whose connection is lost");
    co_await port->stop_listening();
}
LARIAT_BACKEND_TEST_CASE("as_stream() of a lost connection is refused") { run_on(backend_kind, too_late); }

}  // namespace
}  // namespace lariat
