// SPDX-License-Identifier: MIT
// Protocols and factories on a backend with faults: the same callbacks, each once and in order, and every byte.
#include <lariat/io/base/log.hpp>
#include <lariat/test/proto/scripted_datagrams.hpp>
#include <lariat/test/support/backends.hpp>
#include <lariat/test/support/faults.hpp>
#include <lariat/test/support/io_world.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

using namespace lariat;
using namespace lariat::test;

TEST_SUITE_BEGIN("proto faults");

LARIAT_BACKEND_TEST_CASE("an echo server and its clients see what they would without faults") {
    std::uint64_t short_reads = 0, repeated = 0;
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        CAPTURE(seed);
        Loop loop(faulty(backend_kind, io::FaultPlan(seed).disturb(static_cast<unsigned>(50 * seed))));
        int number = 0;
        const auto server = loop.factory("server factory", [&](const Address&) {
            return std::make_shared<Scripted>(
                loop.events, "server" + std::to_string(number++),
                Script{
                    .made = {}, .data = [](Scripted& self, Bytes data) { self.transport().write(data); }, .lost = {}});
        });
        const std::shared_ptr<Port> port = loop.listen(server);
        std::vector<std::shared_ptr<Scripted>> clients;
        for (std::uint32_t i = 0; i < 6; ++i) {
            const std::string text = pattern(4000 * (i + 1), i + 1);
            clients.push_back(std::make_shared<Scripted>(
                loop.events, "client" + std::to_string(i),
                Script{.made = [text](Scripted& self) { self.transport().write(text); },
                       .data =
                           [text](Scripted& self, Bytes) {
                               if (self.received.size() == text.size()) self.transport().lose_connection();
                           },
                       .lost = [text](Scripted& self, const Failure&) { CHECK((self.received == text)); }}));
            const auto factory = loop.factory("factory", [client = clients.back()](const Address&) { return client; });
            loop.connect(*port, factory);
        }
        loop.until([&] {
            for (std::size_t i = 0; i < clients.size(); ++i) {
                if (clients[i]->times_lost == 0) return false;
                if (!loop.saw("server" + std::to_string(i) + " lost ConnectionDone")) return false;
            }
            return true;
        });
        loop.settle();
        for (std::size_t i = 0; i < clients.size(); ++i) {
            const std::string name = std::to_string(i);
            CHECK(clients[i]->times_lost == 1);
            CHECK(loop.events_of("client" + name)
                  == Events{"client" + name + " made", "client" + name + " lost ConnectionDone"});
            CHECK(loop.events_of("server" + name)
                  == Events{"server" + name + " made", "server" + name + " lost ConnectionDone"});
        }
        const io::FaultCounts& counts = faults_of(loop.reactor.backend()).counts();
        short_reads += counts[io::Fault::short_read];
        repeated += counts[io::Fault::repeated_completion];
    }
    CHECK(short_reads > 0);
    CHECK(repeated > 0);
}

LARIAT_BACKEND_TEST_CASE("U04 datagrams come whole, once and in order, and one that found no room goes the next time") {
    std::uint64_t full = 0, repeated = 0;
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        CAPTURE(seed);
        UdpLoop loop(faulty(backend_kind, io::FaultPlan(seed).disturb(static_cast<unsigned>(50 * seed))));
        auto port = loop.bind(loop.protocol("server"));
        auto client = loop.bind(loop.protocol("client"));
        loop.take();
        Events expected;
        for (int number = 0; number < 40; ++number) {
            for (bool sent = false; !sent; loop.reactor.iterate()) {
                try {
                    client->write("datagram " + std::to_string(number), port->host());
                    sent = true;
                } catch (const Error& error) {
                    REQUIRE(error.os_error() == EAGAIN);
                    ++full;
                }
            }
            expected.push_back("server got datagram " + std::to_string(number));
        }
        loop.until([&] { return loop.events.size() >= expected.size(); });
        loop.settle();
        // A simulated network lets datagrams overtake each other.
        if (backend_kind == io::BackendKind::sim) std::sort(loop.events.begin(), loop.events.end());
        if (backend_kind == io::BackendKind::sim) std::sort(expected.begin(), expected.end());
        CHECK(loop.events == expected);
        repeated += faults_of(loop.reactor.backend()).counts()[io::Fault::repeated_completion];
    }
    CHECK(full > 0);
    CHECK(repeated > 0);
}

LARIAT_KERNEL_TEST_CASE("U06 a port outlives errors of receiving and of sending, and logs those of receiving") {
    CapturedLogs logs;
    UdpLoop loop(faulty(backend_kind, io::FaultPlan().rate(io::Fault::failed_transfer, 1000)));
    UdpLoop sound(backend_kind);
    auto port = loop.bind(loop.protocol("server"));
    auto client = sound.bind(sound.protocol("client"));
    const std::string line =
        "UDP Port " + std::to_string(port->host().port()) + " goes on after an error (Cannot allocate memory)";
    for (std::size_t i = 1; i <= 2; ++i) {
        const std::string text = std::to_string(i);
        client->write(text, port->host());
        loop.until_saw("server got " + text);
        loop.until([&] { return logs.count(line) == i; });
    }
    try {
        port->write("x", client->host());
        FAIL("it was sent");
    } catch (const Error& error) {
        CHECK(error.os_error() == ENOMEM);
    }
    CHECK(port->listening());
    loop.reactor.call_when_running([&] { loop.reactor.stop(); });
    loop.reactor.run();  // receiving rests a while after an error, so nothing is in flight
    CHECK(loop.last() == "server stop");
}

TEST_SUITE_END();
