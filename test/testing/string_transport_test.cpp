// SPDX-License-Identifier: MIT
#include <lariat/testing/string_transport.hpp>

#include <lariat/runtime/connection_error.hpp>
#include <lariat/testing/protocols.hpp>

#include <doctest/doctest.h>

#include <memory>

namespace lariat {
namespace {

using testing::AccumulatingProtocol;
using testing::NonStreamingProducer;
using testing::StringTransport;
using testing::StringTransportWithDisconnection;
using State = StringTransport::ProducerState;

struct Shout : Protocol {
    void connection_made() override { transport().write("ready\r\n"); }
    void data_received(Bytes data) override {
        transport().write_sequence({data, "!"});
        transport().write(Buffer::copy_of("\r\n"));
    }
};

TEST_CASE("V07 a StringTransport keeps what is written until it is cleared") {
    StringTransport transport;
    const auto protocol = std::make_shared<Shout>();
    protocol->make_connection(transport);
    CHECK(transport.value() == "ready\r\n");
    transport.clear();
    CHECK(transport.value().empty());
    protocol->data_received("hello");
    CHECK(transport.value() == "hello!\r\n");
}

TEST_CASE("V07 closing only sets disconnecting(), aborting disconnected() too, and writing goes on") {
    StringTransport transport;
    CHECK(transport.connected());
    transport.lose_connection();
    CHECK(transport.disconnecting());
    CHECK_FALSE(transport.disconnected());
    transport.write("afterwards");
    CHECK(transport.value() == "afterwards");
    transport.abort_connection();
    CHECK(transport.disconnected());

    StringTransport half;
    half.lose_write_connection();
    CHECK(half.write_ended());
    CHECK_FALSE(half.disconnecting());
}

TEST_CASE("V07 the state of the producer is what was asked for last") {
    StringTransport transport;
    CHECK(transport.producer_state() == State::producing);
    transport.pause_producing();
    CHECK(transport.producer_state() == State::paused);
    transport.resume_producing();
    CHECK(transport.producer_state() == State::producing);
    transport.stop_producing();
    CHECK(transport.producer_state() == State::stopped);
    CHECK_THROWS_AS(transport.resume_producing(), UsageError);
    CHECK_THROWS_AS(transport.pause_producing(), UsageError);
}

TEST_CASE("V07 a transport that is closing cannot be paused or resumed, unless it is lenient") {
    StringTransport strict;
    strict.lose_connection();
    CHECK_THROWS_AS(strict.pause_producing(), UsageError);
    CHECK_THROWS_AS(strict.resume_producing(), UsageError);

    StringTransport lenient;
    lenient.set_lenient();
    lenient.lose_connection();
    lenient.pause_producing();
    CHECK(lenient.producer_state() == State::paused);
    lenient.resume_producing();
    CHECK(lenient.producer_state() == State::producing);
}

TEST_CASE("V07 one producer is registered at a time") {
    StringTransport transport;
    NonStreamingProducer pull(transport);
    transport.register_producer(pull);
    CHECK(transport.producer() == &pull);
    CHECK_FALSE(transport.streaming());
    StringTransport push;
    CHECK_THROWS_AS(transport.register_producer(push), UsageError);
    CHECK(transport.producer() == &pull);
    transport.unregister_producer();
    CHECK(transport.producer() == nullptr);
    transport.register_producer(push);
    CHECK(transport.streaming());
    transport.unregister_producer();
}

TEST_CASE("V07 the addresses are Twisted's unless they are set") {
    StringTransport transport;
    CHECK(transport.peer().str() == "192.168.1.1:54321");
    CHECK(transport.host().str() == "10.0.0.1:12345");
    transport.set_peer("10.1.1.1:1").set_host("[::1]:2");
    CHECK(transport.peer().str() == "10.1.1.1:1");
    CHECK(transport.host().str() == "[::1]:2");
}

TEST_CASE("V07 one with disconnection tells its protocol at once, and once") {
    StringTransportWithDisconnection transport;
    const auto protocol = std::make_shared<AccumulatingProtocol>();
    transport.switch_protocol(protocol);
    CHECK(protocol->made);
    CHECK(transport.protocol() == protocol);
    transport.lose_connection();
    CHECK(protocol->closed_reason.check<ConnectionDone>());
    CHECK_FALSE(transport.connected());
    CHECK(transport.protocol() == nullptr);
    transport.abort_connection();  // closed_deferred would fire twice

    StringTransportWithDisconnection aborted;
    const auto other = std::make_shared<AccumulatingProtocol>();
    aborted.switch_protocol(other);
    aborted.abort_connection();
    CHECK(other->closed_reason.check<ConnectionAborted>());
}

}  // namespace
}  // namespace lariat
