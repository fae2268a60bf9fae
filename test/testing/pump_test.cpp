// SPDX-License-Identifier: MIT
#include <lariat/testing/pump.hpp>

#include <lariat/coro/deferred.hpp>
#include <lariat/proto/stream_protocol.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/test/support/backends.hpp>
#include <lariat/testing/assertions.hpp>
#include <lariat/testing/loopback.hpp>
#include <lariat/testing/protocols.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace lariat {
namespace {

using testing::AccumulatingProtocol;
using testing::connected_server_and_client;
using testing::Greet;
using testing::loopback_async;
using testing::NonStreamingProducer;

struct Echo : AccumulatingProtocol {
    void data_received(Bytes received) override {
        ++inside;
        CHECK(inside == 1);
        AccumulatingProtocol::data_received(received);
        pieces.push_back(received.str());
        transport().write(received);
        --inside;
    }
    int inside = 0;
    std::vector<std::string> pieces;
};

struct Greeter : AccumulatingProtocol {
    void connection_made() override {
        AccumulatingProtocol::connection_made();
        transport().write("welcome");
    }
};

std::shared_ptr<AccumulatingProtocol> listener() { return std::make_shared<AccumulatingProtocol>(); }

TEST_CASE("V09 a pump moves one round at a time and says whether anything moved") {
    auto pair = connected_server_and_client(std::make_shared<Echo>(), listener());
    CHECK_FALSE(pair.pump.pump());
    pair.client->transport().write("hello");
    CHECK(pair.server->data.empty());
    CHECK(pair.pump.pump());
    CHECK(pair.server->data == "hello");
    CHECK(pair.client->data.empty());
    CHECK(pair.pump.pump());
    CHECK(pair.client->data == "hello");
    CHECK_FALSE(pair.pump.flush());
    CHECK(pair.client->transport().peer() == pair.server->transport().host());
}

TEST_CASE("V09 the greeting is delivered, unless the test wants to see it come") {
    const auto greeted = connected_server_and_client(std::make_shared<Greeter>(), listener());
    CHECK(greeted.client->data == "welcome");
    auto waiting = connected_server_and_client(std::make_shared<Greeter>(), listener(),
                                               std::make_shared<testing::Clock>(), Greet::no);
    CHECK(waiting.server->made);
    CHECK(waiting.client->made);
    CHECK(waiting.client->data.empty());
    CHECK(waiting.pump.flush());
    CHECK(waiting.client->data == "welcome");
}

TEST_CASE("V09 time passes when the pump says so, and what is said because of it is delivered") {
    auto pair = connected_server_and_client(listener(), listener());
    testing::Clock& clock = pair.pump.clock();
    clock.call_later(5s, [&] { pair.server->transport().write("five o'clock"); });
    pair.pump.flush();
    pair.pump.advance(4s);
    CHECK(pair.client->data.empty());
    pair.pump.advance(1s);
    CHECK(pair.client->data == "five o'clock");
}

TEST_CASE("V09 the end of one is the end of both, after everything that was written; writing then does nothing") {
    auto pair = connected_server_and_client(listener(), listener());
    pair.client->transport().write("last words");
    pair.client->transport().lose_connection();
    CHECK(pair.pump.flush());
    CHECK(pair.server->data == "last words");
    CHECK(pair.server->closed_reason.check<ConnectionDone>());
    CHECK(pair.client->closed_reason.check<ConnectionDone>());
    pair.client->transport().write("too late");
    pair.server->transport().write("too late");
    CHECK_FALSE(pair.pump.flush());

    auto aborted = connected_server_and_client(listener(), listener());
    aborted.client->transport().abort_connection();
    aborted.pump.flush();
    CHECK(aborted.client->closed_reason.check<ConnectionAborted>());
    CHECK(aborted.server->closed_reason.check<ConnectionLost>());
    CHECK_FALSE(aborted.server->closed_reason.check<ConnectionDone>());
}

struct Flood : PushProducer {
    explicit Flood(Transport& to_) : to(to_) {}
    void resume_producing() override {
        paused = false;
        while (!paused && sent < 40) {
            ++sent;
            to.write(std::string(10'000, 'x'));
        }
    }
    void pause_producing() override { paused = true, ++pauses; }
    void stop_producing() override {}
    Transport& to;
    int sent = 0, pauses = 0;
    bool paused = false;
};

TEST_CASE("V09 a reader that has paused holds up a producer, and nothing is lost") {
    auto pair = connected_server_and_client(listener(), listener());
    pair.server->transport().pause_producing();
    Flood flood(pair.client->transport());
    pair.client->transport().register_producer(flood);
    flood.resume_producing();
    pair.pump.flush();
    CHECK(flood.pauses > 0);
    CHECK(flood.sent < 40);
    pair.server->transport().resume_producing();
    pair.pump.flush();
    CHECK(flood.sent == 40);
    CHECK(pair.server->data.size() == 400'000);
    pair.client->transport().unregister_producer();
}

TEST_CASE("V09 protocols that answer each other for ever are told apart from those that are done") {
    auto pair = connected_server_and_client(std::make_shared<Echo>(), std::make_shared<Echo>());
    pair.client->transport().write("ping");
    CHECK_THROWS_AS(pair.pump.flush(), testing::AssertionFailed);
}

Task<> answer(TcpStream peer) {
    const Buffer name = co_await peer.read_until("\n");
    co_await peer.write("hello, " + name.str());
}

TEST_CASE("V09 a protocol that is a coroutine can be pumped too") {
    auto pair = connected_server_and_client(as_protocol(answer)->build_protocol(Address()), listener());
    pair.client->transport().write("world\n");
    pair.pump.flush();
    CHECK(pair.client->data == "hello, world\n");
    CHECK(pair.client->closed);
}

template <class Condition>
void turn_until(Reactor& reactor, Condition condition) {
    for (int turn = 0; turn < 10'000 && !condition(); ++turn) reactor.iterate(1ms);
    REQUIRE(condition());
}

LARIAT_BACKEND_TEST_CASE("V10 loopback_async() delivers in a later turn, never from inside write(), until one closes") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    const auto server = std::make_shared<Echo>();
    const auto client = listener();
    const Deferred<> done = loopback_async(reactor, server, client);
    client->transport().write("one");
    client->transport().write("two");
    CHECK(server->data.empty());
    turn_until(reactor, [&] { return client->data == "onetwo"; });
    CHECK(server->pieces == std::vector<std::string>{"one", "two"});
    testing::assert_no_result(done);

    server->transport().write("bye");
    server->transport().lose_connection();
    server->transport().write("too late");
    turn_until(reactor, [&] { return done.called(); });
    testing::success_result_of(done);
    CHECK(client->data == "onetwobye");
    CHECK(client->closed_reason.check<ConnectionDone>());
    CHECK(server->closed_reason.check<ConnectionDone>());
    CHECK_FALSE(server->transport().connected());
    server->transport().write("nobody hears it");
}

TEST_CASE("V10 the pump policy decides how pieces arrive") {
    testing::Clock clock;
    const auto server = std::make_shared<Echo>();
    const auto client = std::make_shared<Greeter>();
    const Deferred<> done = loopback_async(clock, server, client, testing::collapsing_pump_policy);
    client->transport().write(", ");
    client->transport().write("friend");
    clock.advance(0s);
    CHECK(server->pieces == std::vector<std::string>{"welcome, friend"});
    CHECK(client->data == "welcome, friend");
    client->transport().abort_connection();
    clock.advance(0s);
    testing::success_result_of(done);
}

TEST_CASE("V10 a reader that has paused gets the rest when it goes on, and a close waits for nobody who does not") {
    testing::Clock clock;
    const auto server = listener();
    const auto client = listener();
    const Deferred<> done = loopback_async(clock, server, client);
    server->transport().pause_producing();
    client->transport().write("patience");
    clock.advance(0s);
    CHECK(server->data.empty());
    server->transport().resume_producing();
    clock.advance(0s);
    CHECK(server->data == "patience");
    server->transport().pause_producing();
    client->transport().write("lost");
    client->transport().lose_connection();
    clock.advance(0s);
    testing::success_result_of(done);
    CHECK(server->data == "patience");
    CHECK(server->closed);
}

struct Throwing : AccumulatingProtocol {
    void data_received(Bytes) override { throw std::runtime_error("I do not understand"); }
};

TEST_CASE("V10 what escapes a callback ends the connection and fails the Deferred") {
    testing::Clock clock;
    const auto server = std::make_shared<Throwing>();
    const auto client = listener();
    const Deferred<> done = loopback_async(clock, server, client);
    client->transport().write("?");
    clock.advance(0s);
    testing::failure_result_of<std::runtime_error>(done);
    CHECK(client->closed);
    CHECK(server->closed_reason.check<std::runtime_error>());
}

TEST_CASE("V10 V11 a pull producer writes whenever what it wrote has gone, ten times, and then is done") {
    testing::Clock clock;
    const auto server = listener();
    const auto client = listener();
    const Deferred<> done = loopback_async(clock, server, client);
    NonStreamingProducer producer(client->transport());
    client->transport().register_producer(producer);
    CHECK(producer.counter == 1);
    clock.advance(0s);
    CHECK(server->data == "0123456789");
    testing::success_result_of(producer.result);
    CHECK_THROWS_AS(producer.resume_producing(), UsageError);

    NonStreamingProducer stopped(client->transport());
    client->transport().register_producer(stopped);
    client->transport().lose_connection();
    clock.advance(0s);
    CHECK(stopped.stopped);
    CHECK(server->data.size() < 20);
    testing::success_result_of(stopped.result);
    testing::success_result_of(done);
}

}  // namespace
}  // namespace lariat
