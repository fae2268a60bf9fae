// SPDX-License-Identifier: MIT
// The protocols of other carriers than streams, driven by hand.
#include <lariat/io/base/log.hpp>
#include <lariat/proto/datagram_protocol.hpp>
#include <lariat/proto/process_protocol.hpp>
#include <lariat/runtime/connection_error.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace lariat;

namespace {

using Log = std::vector<std::string>;

struct Pigeons final : DatagramTransport {
    void write(Bytes datagram, const Address& to) override { sent.push_back(datagram.str() + " to " + to.str()); }
    Log sent;
};

struct Loft final : DatagramProtocol {
    void start_protocol() override {
        CHECK(num_ports() == 0);
        log.push_back("start");
    }
    void stop_protocol() override {
        CHECK_FALSE(has_transport());
        log.push_back("stop");
    }
    void datagram_received(Bytes datagram, const Address& from) override {
        log.push_back(datagram.str() + " from " + from.str());
        transport().write("thanks", from);
    }
    void connection_refused() override { log.push_back("refused"); }
    Log log;
};

struct Child final : ProcessProtocol {
    void out_received(Bytes data) override { log.push_back("out " + data.str()); }
    void err_received(Bytes data) override { log.push_back("err " + data.str()); }
    void in_connection_lost() override { log.push_back("in lost"); }
    void out_connection_lost() override { log.push_back("out lost"); }
    void err_connection_lost() override { log.push_back("err lost"); }
    void process_exited(const Failure&) override { log.push_back("exited"); }
    void process_ended(const Failure&) override { log.push_back("ended"); }
    Log log;
};

}  // namespace

TEST_SUITE_BEGIN("proto other protocols");

TEST_CASE("F09 a process protocol hands the standard descriptors on by name, and leaves the others to their own") {
    Child child;
    child.connection_made();
    child.child_data_received(1, "a");
    child.child_data_received(2, "b");
    child.child_data_received(7, "unheard");
    for (int fd : {0, 1, 2, 7}) child.child_connection_lost(fd);
    const Failure done{ConnectionDone()};
    child.process_exited(done);
    child.process_ended(done);
    CHECK(child.log == Log{"out a", "err b", "in lost", "out lost", "err lost", "exited", "ended"});
}

TEST_CASE("F10 a datagram protocol starts with its first port, stops with its last, and then has no transport") {
    CapturedLogs logs;
    Loft loft;
    Pigeons pigeons;
    CHECK_FALSE(loft.has_transport());
    loft.make_connection(pigeons);
    CHECK(loft.log == Log{"start"});
    loft.datagram_received("crumbs", "10.0.0.1:53");
    CHECK(pigeons.sent == Log{"thanks to 10.0.0.1:53"});
    loft.connection_refused();
    loft.do_start();  // a second port shares it
    CHECK(loft.num_ports() == 2);
    loft.do_stop();
    CHECK_FALSE(loft.has_transport());
    loft.do_stop();
    CHECK(loft.log == Log{"start", "crumbs from 10.0.0.1:53", "refused", "stop"});
    CHECK(logs.count("Starting protocol Loft") == 1);
    CHECK(logs.count("Stopping protocol Loft") == 1);
    loft.set_noisy(false);
    loft.make_connection(pigeons);  // and again
    CHECK(loft.log.back() == "start");
    CHECK(logs.count("Starting protocol") == 1);
}

TEST_CASE("F10 a carrier of datagrams need only send, and refuses what it does not have") {
    Pigeons carrier;
    DatagramTransport& pigeons = carrier;
    pigeons.write_sequence({"one", " egg"}, "10.0.0.1:53");
    CHECK(carrier.sent == Log{"one egg to 10.0.0.1:53"});
    CHECK_THROWS_WITH_AS(pigeons.connect("10.0.0.1", 53), "this transport has no connect()", UsageError);
    CHECK_THROWS_WITH_AS(pigeons.set_ttl(2), "this transport has no multicast", UsageError);
    bool failed = false;
    pigeons.join_group("239.1.1.1").add_errback([&](const Failure& why) { failed = why.check<UsageError>(); });
    CHECK(failed);
}

TEST_CASE("U02 a datagram that was cut is one like any other unless the protocol wants to know") {
    Loft loft;
    Pigeons pigeons;
    loft.make_connection(pigeons);
    loft.truncated_datagram_received("crum", "10.0.0.1:53");
    CHECK(loft.log.back() == "crum from 10.0.0.1:53");
}

TEST_SUITE_END();
