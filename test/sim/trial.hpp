// SPDX-License-Identifier: MIT
// Trial: one seed's run of a scenario: a world, the faults that befall it, and what was found wrong.
#pragma once

#include <lariat/coro/task_scope.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/io/base/random.hpp>
#include <lariat/io/sim/world.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/runtime/reactor.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace lariat::test {

class Trial {
public:
    explicit Trial(std::uint64_t seed);
    Trial(const Trial&) = delete;
    Trial& operator=(const Trial&) = delete;
    ~Trial();

    /// A generator for the part of the scenario called `name`.
    [[nodiscard]] Random random(std::string_view name) const noexcept { return plan_.fork(name); }

    /// Draws what the links between all hosts are like, and how much their sockets buffer.
    void draw_links();
    /// Draws partitions, crashes, restarts and calls from outside until `quiet_from`, when everything is whole again
    /// and stays so, and no system lacks anything any more.
    void draw_faults(Duration quiet_from);
    /// True from draw_faults()'s `quiet_from` on.
    [[nodiscard]] bool is_quiet() const noexcept { return world.elapsed() >= quiet_from_; }

    /// What a program does: `main` with a Reactor whose system has faults of its own, drawn for `program` and its life.
    /// Whatever a program cannot notice goes on for ever; what it sees as errors ends when it gets quiet. Nothing of
    /// the reactor's may be left over when `main` has returned.
    int run_program(std::string_view program, Function<int(Reactor&)> main);
    /// What a scenario comes to: hosts called `servers`, and "client0" and so on; links and faults are drawn, and
    /// `main(host)` is the program of each. Runs until it is quiet and the programs of all clients have ended, ends the
    /// others, and requires that none failed.
    void run_hosts(const std::vector<std::string>& servers, std::uint64_t clients, Duration quiet_from,
                   Function<int(const std::string& host)> main);

    void require(bool holds, std::string_view what) {
        if (!holds) violated(what);
    }
    /// The same for what does not hold where a system lacks memory or descriptors now and then, as in some trials: a
    /// connection may then end in order before everybody thinks so.
    void require_unless_short(bool holds, std::string_view what) { require(holds || short_, what); }
    /// What lariat itself finds worth a warning, an unhandled failure for example, is a violation. What a system that
    /// lacks descriptors makes it say is not.
    void logged(const LogEvent& event);

    sim::World world;
    std::vector<std::string> violations;
    std::uint64_t digest = 0xcbf29ce484222325;  // of every line of the trace; FNV-1a
    bool print_trace = false;
    bool all_ended = false;

private:
    class Machine;

    void run(Function<bool()> done);
    void violated(std::string_view what);
    void befall(Random& random);
    void call_from_outside();
    void get_quiet();

    Random plan_;
    bool short_;  // some systems lack memory or descriptors now and then
    Duration quiet_from_ = Duration::zero();
    std::vector<Machine*> machines_;  // of the programs that run
    std::uint64_t lives_ = 0;         // of programs
};

/// What `listen` gives, called anew while the system lacks what that takes.
template <class F>
auto insist(F listen) {
    constexpr int patience = 100;
    for (int i = 1;; ++i) {
        try {
            return listen();
        } catch (const CannotListenError&) {
            if (i == patience) throw;
        }
    }
}

/// Spawns one, two or three of `one(arguments..., Random)`.
template <class F, class... A>
void spawn_some(TaskScope& scope, Random& random, F one, A&... arguments) {
    const std::uint64_t count = random.between(1, 3);
    for (std::uint64_t i = 0; i < count; ++i) {
        scope.spawn(one, std::ref(arguments)..., random.fork(std::to_string(i)));
    }
}

struct Scenario {
    std::string_view name;
    void (*run)(Trial& trial);
};

void chat(Trial& trial);
void echo_cluster(Trial& trial);
void letters(Trial& trial);
void reconnecting(Trial& trial);
void transfer(Trial& trial);

}  // namespace lariat::test
