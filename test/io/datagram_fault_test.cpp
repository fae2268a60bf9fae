// SPDX-License-Identifier: MIT
// Faults on datagrams: nothing that a program cannot tell from a slow machine loses one, cuts one or takes its sender
// away; and recordings bring all of it again.
#include <lariat/test/support/backends.hpp>
#include <lariat/test/support/datagram_world.hpp>
#include <lariat/test/support/faults.hpp>
#include <lariat/test/support/recordings.hpp>

#include <doctest/doctest.h>

#include <cerrno>

using namespace lariat;
using namespace lariat::test;
using io::Fault;

namespace {

using Texts = std::vector<std::string>;

/// Sends what storms refuse again.
void insist(World& world, Station& from, const std::string& text, const Address& to) {
    world.spin_until([&] {
        const std::ptrdiff_t sent = from.send(text, to);
        CHECK((sent == -EAGAIN || sent == static_cast<std::ptrdiff_t>(text.size())));
        return sent != -EAGAIN;
    });
}

/// Two senders, bursts, empty and long datagrams, a refusal and a cancellation; says what was seen.
std::string exchange(std::unique_ptr<io::Backend> backend) {
    World world(std::move(backend));
    Station here(world), one(world), two(world, Address::loopback(0));
    here.receive.submit();
    const std::string long_one = pattern(9000);
    std::vector<std::pair<std::string, std::string>> sent, got;  // by whom, and what
    for (int i = 0; i < 40; ++i) {
        Station& from = i % 3 == 0 ? one : two;
        const std::string text = i % 7 == 0 ? "" : i % 5 == 0 ? long_one : std::to_string(i);
        insist(world, from, text, here.address);
        sent.emplace_back(from.address.str(), text);
        if (i % 4 == 3) here.wait_for(sent.size());
    }
    for (std::size_t i = 0; i < here.texts.size(); ++i) got.emplace_back(here.senders[i], here.texts[i]);
    std::sort(sent.begin(), sent.end());
    std::sort(got.begin(), got.end());
    CHECK(got == sent);
    CHECK_FALSE(here.receive.over);
    here.receive.cancel_and_wait();

    const Address gone = two.address;
    world.close(two.fd);
    CHECK(world->connect(one.fd, gone) == 0);
    one.receive.submit();
    insist(world, one, "anybody?", {});
    world.pump_until([&] { return !one.receive.results.empty(); });
    CHECK(one.receive.results == std::vector<std::int32_t>{-ECONNREFUSED});
    CHECK_FALSE(one.receive.over);
    std::string seen = std::to_string(world->now().time_since_epoch().count());
    for (const auto& [sender, text] : got) seen += "\n" + sender + " " + std::to_string(text.size());
    return seen;
}

}  // namespace

TEST_SUITE_BEGIN("io datagrams");

LARIAT_BACKEND_TEST_CASE("datagrams do not notice what a program must not notice") {
    using enum Fault;
    for (const Disturbance& disturbance : each_and_all({again_storm, multishot_end, late_submission, late_completion,
                                                        reordered_completion, repeated_completion, early_wake})) {
        CAPTURE(disturbance.name());
        std::string missing = "nothing ran";
        for (std::uint64_t seed = 1; seed <= 20 && !missing.empty(); ++seed) {
            auto backend = faulty(backend_kind, disturbance.plan(300, seed));
            io::FaultBackend& faults = *backend;
            const io::FaultCounts& counts = faults.counts();
            World world(std::move(backend));
            Station here(world), there(world), third(world);
            here.receive.submit();
            third.receive.submit();
            for (int i = 0; i < 30; ++i) {
                insist(world, there, std::to_string(100 + i), i % 2 == 0 ? here.address : third.address);
                if (i % 6 == 5) {
                    here.wait_for(static_cast<std::size_t>(i + 1) / 2);
                    third.wait_for(static_cast<std::size_t>(i + 1) / 2);
                }
            }
            CHECK(here.texts.size() == 15);
            CHECK(here.senders == Texts(15, there.address.str()));
            here.receive.cancel_and_wait();
            CHECK(here.receive.last() == -ECANCELED);
            missing = disturbance.missing(counts);
        }
        CHECK(missing == "");
    }
}

LARIAT_BACKEND_TEST_CASE("datagrams go through all disturbances together, with their senders and refusals") {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        CAPTURE(seed);
        exchange(faulty(backend_kind, io::FaultPlan(seed).disturb(150)));
    }
}

LARIAT_BACKEND_TEST_CASE("a cancellation that comes late or loses still ends the receiving of datagrams, once") {
    for (const Fault fault : {Fault::late_cancel, Fault::lost_cancel}) {
        World world(faulty(backend_kind, io::FaultPlan().rate(fault, 1000)));
        Station here(world), there(world);
        here.receive.submit();
        world.pump(2);
        here.receive.cancel();
        CHECK(there.send("too late to stop", here.address) == 16);
        here.receive.wait();
        CHECK(here.receive.results.back() == -ECANCELED);
        if (fault == Fault::lost_cancel) CHECK(here.texts == Texts{"too late to stop"});
    }
}

LARIAT_BACKEND_TEST_CASE("where there is no memory, receiving datagrams ends with what had come, and can begin again") {
    World world(faulty(backend_kind, io::FaultPlan().rate(Fault::failed_transfer, 1000)));
    io::FaultBackend& faults = faults_of(*world);
    Station here(world), there(world);
    CHECK(there.send("no memory", here.address) == -ENOMEM);
    faults.set_plan(io::FaultPlan().rate(Fault::no_buffers, 1000));
    CHECK(there.send("no buffers", here.address) == -ENOBUFS);
    faults.set_plan(io::FaultPlan());
    here.receive.submit();
    CHECK(there.send("the last", here.address) == 8);
    faults.set_plan(io::FaultPlan().rate(Fault::failed_transfer, 1000));
    here.receive.wait();
    CHECK(here.texts == Texts{"the last"});
    CHECK(here.receive.last() == -ENOMEM);
    faults.set_plan(io::FaultPlan());
    here.receive.submit();
    CHECK(there.send("again", here.address) == 5);
    here.wait_for(2);
}

LARIAT_BACKEND_TEST_CASE("a replay gives datagrams, senders and refusals again") {
    const std::string seen = record_and_replay(io::make_backend(backend_kind), exchange);
    CHECK(seen.find(" 9000") != std::string::npos);
    record_and_replay(faulty(backend_kind, io::FaultPlan(3).disturb(100)), exchange);
}

TEST_SUITE_END();
