// SPDX-License-Identifier: MIT
#include "trial.hpp"

#include <lariat/io/fault/fault_backend.hpp>
#include <lariat/io/make_backend.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <utility>

namespace lariat::test {

using namespace std::chrono_literals;
using io::Fault;

namespace {

constexpr Fault errors[] = {Fault::no_buffers, Fault::no_descriptors, Fault::no_memory, Fault::aborted_accept,
                            Fault::failed_transfer};

/// What is done in threads is a timer on a simulated system: a name lookup, for example, that nobody waits for any
/// more.
constexpr Duration longest_lookup = 3s;

/// A third of the systems have none of the faults that cannot be noticed; with the others they are rare or frequent.
io::FaultPlan draw_plan(Random random, bool with_errors) {
    io::FaultPlan plan(random.next());
    if (!random.chance(333)) plan.disturb(1u << random.below(8));
    if (!with_errors) return plan;
    for (const Fault error : errors) plan.rate(error, static_cast<unsigned>(random.below(8)));
    return plan;
}

}  // namespace

/// The Reactor of a program that runs, and the faults of the system below it.
class Trial::Machine {
public:
    Machine(Trial& trial, std::string_view name, std::unique_ptr<io::FaultBackend> backend)
        : trial_(trial), faults_(*backend), program(name), life(++trial.lives_), reactor(std::move(backend)) {
        trial_.machines_.push_back(this);
    }
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;
    ~Machine() { std::erase(trial_.machines_, this); }

    void end_errors() {
        io::FaultPlan plan = faults_.plan();
        for (const Fault error : errors) plan.rate(error, 0);
        faults_.set_plan(plan);
    }

private:
    Trial& trial_;
    io::FaultBackend& faults_;

public:
    const std::string program;
    const std::uint64_t life;
    Reactor reactor;
};

Trial::Trial(std::uint64_t seed)
    : world(seed), plan_(Random(seed).fork("plan")), short_(random("shortages").chance(300)) {
    world.trace_to([this](std::string_view line) {
        if (print_trace) std::printf("%.*s\n", static_cast<int>(line.size()), line.data());
        for (const char c : line) digest = (digest ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    });
}

Trial::~Trial() = default;

void Trial::draw_links() {
    Random random = this->random("links");
    Random of_datagrams = this->random("datagrams on links");
    world.short_transfers(static_cast<unsigned>(random.below(500)));
    for (const auto& a : world.hosts()) {
        if (random.chance(500)) a->socket_buffers(1 << random.between(9, 15));
        for (const auto& b : world.hosts()) {
            if (a == b) continue;
            sim::LinkOptions link;
            link.latency(std::chrono::microseconds(random.between(20, 50'000)));
            link.jitter(std::chrono::microseconds(random.below(20'000)));
            if (random.chance(300)) link.loss(static_cast<unsigned>(random.below(100)));
            if (random.chance(200)) link.bandwidth(random.between(100'000, 100'000'000));
            if (of_datagrams.chance(500)) link.duplication(static_cast<unsigned>(of_datagrams.below(200)));
            if (of_datagrams.chance(500)) link.reordering(static_cast<unsigned>(of_datagrams.below(200)));
            if (of_datagrams.chance(300)) link.mtu(static_cast<unsigned>(of_datagrams.between(576, 9000)));
            world.one_way(*a, *b, link);
        }
    }
}

void Trial::draw_faults(Duration quiet_from) {
    Random random = this->random("faults");
    const auto draw_time = [&random, quiet_from] {
        return Duration(random.below(static_cast<std::uint64_t>(quiet_from.count())));
    };
    quiet_from_ = quiet_from;
    const std::uint64_t count = random.below(8);
    for (std::uint64_t i = 0; i < count; ++i) {
        const Duration when = draw_time();
        world.at(when, [this, own = random.fork(std::to_string(i))]() mutable { befall(own); });
    }
    for (int i = 0; i < 3; ++i) {
        world.at(draw_time(), [this] { call_from_outside(); });
    }
    world.at(quiet_from, [this] { get_quiet(); });
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

// As another thread would: it is no program of the world that calls, and most loops sleep.
void Trial::call_from_outside() {
    for (Machine* machine : machines_) {
        const auto made = std::make_shared<bool>(false);
        machine->reactor.call_from_thread([made] { *made = true; });
        world.at(1s, [this, made, life = machine->life] {
            const auto runs = [life](const Machine* each) { return each->life == life; };
            const bool lives = std::any_of(machines_.begin(), machines_.end(), runs);
            require(*made || !lives, "a call from outside did not wake the loop");
        });
    }
}

void Trial::get_quiet() {
    world.heal();
    for (const auto& host : world.hosts()) host->restart();
    for (Machine* machine : machines_) machine->end_errors();
}

int Trial::run_program(std::string_view program, Function<int(Reactor&)> main) {
    const Random random = this->random(std::string(program) + "'s system, life " + std::to_string(lives_ + 1));
    Machine machine(*this, program,
                    std::make_unique<io::FaultBackend>(io::make_backend(io::BackendKind::sim),
                                                       draw_plan(random, short_ && !is_quiet())));
    const int status = main(machine.reactor);
    const io::Ledger ledger = machine.reactor.backend().ledger();
    if (ledger.operations > 0 || ledger.descriptors > 0 || ledger.buffers > 0) {
        violated(std::string(program) + " left " + std::to_string(ledger.operations) + " operations, "
                 + std::to_string(ledger.descriptors) + " descriptors and " + std::to_string(ledger.buffers)
                 + " buffers behind");
    }
    const TimePoint latest = machine.reactor.now() + longest_lookup;
    for (const DelayedCall& call : machine.reactor.delayed_calls()) {
        require(call.time() <= latest, std::string(program) + " left timers behind");
    }
    return status;
}

void Trial::run_hosts(const std::vector<std::string>& servers, std::uint64_t clients, Duration quiet_from,
                      Function<int(const std::string& host)> main) {
    for (const std::string& name : servers) world.add_host(name);
    for (std::uint64_t i = 0; i < clients; ++i) world.add_host("client" + std::to_string(i));
    draw_links();
    draw_faults(quiet_from);
    const auto& hosts = world.hosts();
    const auto shared = std::make_shared<Function<int(const std::string&)>>(std::move(main));
    for (const auto& host : hosts) {
        host->start("main", [shared, name = host->name()] { return (*shared)(name); });
    }
    run([&] {
        return is_quiet() && std::all_of(hosts.begin(), hosts.end(), [](const auto& host) {
                   return !host->name().starts_with("client") || host->status("main").has_value();
               });
    });
    for (const auto& host : hosts) require(host->status("main") == 0, host->name() + " ended with a failure");
}

void Trial::run(Function<bool()> done) {
    const sim::World::Outcome outcome = world.run_until(std::move(done), 2h);
    require(outcome == sim::World::Outcome::reached,
            outcome == sim::World::Outcome::stuck ? "every program waits for something that never comes"
                                                  : "it was not done in time, though the network was whole again");
    if (print_trace && outcome != sim::World::Outcome::reached) {
        for (Machine* machine : machines_)
            std::printf("%s: %s\n", machine->program.c_str(), machine->reactor.report().c_str());
    }
    all_ended = world.end_programs() == sim::World::Outcome::ended;
    require(all_ended, "programs did not end when they were asked to");
}

void Trial::violated(std::string_view what) {
    if (print_trace) std::printf("violated: %.*s\n", static_cast<int>(what.size()), what.data());
    violations.emplace_back(what);
}

void Trial::logged(const LogEvent& event) {
    if (event.level < LogLevel::warn) return;
    const bool shortage = event.text.starts_with("Could not accept new connection (")
                          || event.text.starts_with("could not accept a connection")
                          || event.text.starts_with("could not receive a datagram")
                          || event.text.find("goes on after an error (") != std::string_view::npos;
    if (!shortage) violated("logged: " + std::string(event.text));
}

}  // namespace lariat::test
