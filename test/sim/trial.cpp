// SPDX-License-Identifier: MIT
#include "trial.hpp"

#include <chrono>
#include <cstdio>

namespace lariat::test {

using namespace std::chrono_literals;

Trial::Trial(std::uint64_t seed) : world(seed), plan_(Random(seed).fork("plan")) {
    world.trace_to([this](std::string_view line) {
        if (print_trace) std::printf("%.*s\n", static_cast<int>(line.size()), line.data());
        for (const char c : line) digest = (digest ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    });
}

void Trial::draw_links() {
    Random random = this->random("links");
    world.short_transfers(static_cast<unsigned>(random.below(500)));
    for (const auto& a : world.hosts()) {
        for (const auto& b : world.hosts()) {
            if (a == b) continue;
            sim::LinkOptions link;
            link.latency(std::chrono::microseconds(random.between(20, 50'000)));
            link.jitter(std::chrono::microseconds(random.below(20'000)));
            if (random.chance(300)) link.loss(static_cast<unsigned>(random.below(100)));
            if (random.chance(200)) link.bandwidth(random.between(100'000, 100'000'000));
            world.one_way(*a, *b, link);
        }
    }
}

void Trial::draw_faults(Duration quiet_from) {
    Random random = this->random("faults");
    const std::uint64_t count = random.below(8);
    for (std::uint64_t i = 0; i < count; ++i) {
        const Duration when(random.below(static_cast<std::uint64_t>(quiet_from.count())));
        world.at(when, [this, own = random.fork(std::to_string(i))]() mutable { befall(own); });
    }
    world.at(quiet_from, [this] {
        world.heal();
        for (const auto& host : world.hosts()) host->restart();
    });
}

void Trial::befall(Random& random) {
    const auto& hosts = world.hosts();
    sim::Host& one = *hosts[random.below(hosts.size())];
    sim::Host& other = *hosts[random.below(hosts.size())];
    switch (random.below(5)) {
    case 0:
        if (&one != &other) world.partition(one, other);
        break;
    case 1: world.isolate(one); break;
    case 2: world.heal(); break;
    case 3: one.crash(); break;
    case 4: one.restart(); break;
    }
}

void Trial::run(Function<bool()> done, Duration at_most) {
    const sim::World::Outcome outcome = world.run_until(std::move(done), at_most);
    require(outcome == sim::World::Outcome::reached,
            outcome == sim::World::Outcome::stuck ? "every program waits for something that never comes"
                                                  : "it was not done in time, though the network was whole again");
    all_ended = world.end_programs() == sim::World::Outcome::ended;
    require(all_ended, "programs did not end when they were asked to");
}

void Trial::require_nothing_left(Reactor& reactor, std::string_view program) {
    const io::Ledger ledger = reactor.backend().ledger();
    if (ledger.operations == 0 && ledger.descriptors == 0 && ledger.buffers == 0) return;
    violations.push_back(std::string(program) + " left " + std::to_string(ledger.operations) + " operations, "
                         + std::to_string(ledger.descriptors) + " descriptors and " + std::to_string(ledger.buffers)
                         + " buffers behind");
}

}  // namespace lariat::test
