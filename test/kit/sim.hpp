// SPDX-License-Identifier: MIT
// Programs: runs coroutines as programs of simulated hosts and keeps what escapes them, so that a test can say "this on
// the server, that on the client" and see failures of either. sim::World itself comes with this header.
//
//     sim::World world(seed);
//     testing::Programs programs(world);
//     programs.start(world.add_host("server"), "serve", serve);
//     programs.start(world.add_host("client"), "ask", ask, std::string("hello"));
//     world.run_until([&] { return programs.ended("client", "ask"); });
//     programs.finish();
//
// Threads: the World's.
#pragma once

#include <lariat/coro/as_result.hpp>
#include <lariat/coro/run.hpp>
#include <lariat/coro/task.hpp>
#include <lariat/io/base/clock.hpp>
#include <lariat/io/sim/world.hpp>
#include <lariat/runtime/failure.hpp>

#include <chrono>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lariat::testing {

/// Lifetime: the World must outlive it, and it the programs: see finish().
class Programs {
public:
    /// What a program ended with other than by returning or by being asked to end.
    struct Problem {
        std::string host;
        std::string program;
        Failure failure;
    };

    explicit Programs(sim::World& world) noexcept : world_(world) {}
    Programs(const Programs&) = delete;
    Programs& operator=(const Programs&) = delete;

    /// Runs `function(arguments...)`, a Task<>, as a program of `host`; again after each restart of the host. Functions
    /// that serve for ever end with host.terminate() or finish().
    /// Lifetime: the function and the arguments are copied; what they refer to must outlive the program.
    template <class F, class... A>
    void start(sim::Host& host, std::string_view program, F function, A... arguments) {
        const std::string& name = names_.emplace_back(program);
        host.start(name, [this, &host, &name, function, arguments...] {
            return run(watch(host, name, function(arguments...)));
        });
    }
    /// Whether the last run of `program` has ended. Errors: UsageError when there is no such host.
    [[nodiscard]] bool ended(std::string_view host, std::string_view program) {
        return world_.host(host).status(program).has_value();
    }

    [[nodiscard]] const std::vector<Problem>& problems() const noexcept { return problems_; }
    /// Ends every program of the World, within `patience` of virtual time, and forgets the problems. Errors: the first
    /// problem is thrown, all are logged; AssertionFailed when a program does not end.
    void finish(Duration patience = std::chrono::hours(1));
    /// The same without throwing: the names of the programs that do not end, "" when all have.
    [[nodiscard]] std::string end_programs(Duration patience = std::chrono::hours(1));

private:
    Task<int> watch(sim::Host& host, const std::string& program, Task<> task);

    sim::World& world_;
    std::deque<std::string> names_;
    std::vector<Problem> problems_;
};

}  // namespace lariat::testing
