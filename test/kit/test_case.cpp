// SPDX-License-Identifier: MIT
#include <lariat/testing/test_case.hpp>

#include <lariat/coro/as_result.hpp>
#include <lariat/coro/cancel.hpp>
#include <lariat/coro/promise.hpp>
#include <lariat/coro/shield.hpp>
#include <lariat/coro/spawn.hpp>
#include <lariat/coro/task_tree.hpp>
#include <lariat/coro/with_timeout.hpp>
#include <lariat/io/base/assert.hpp>
#include <lariat/io/base/error.hpp>
#include <lariat/io/base/timer_queue.hpp>
#include <lariat/io/sim/sim_backend.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/testing/leftovers.hpp>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <source_location>

namespace lariat::testing {

using lariat::detail::Hidden;

namespace {

// How long what was cancelled may take to tidy up before the test goes on without it.
constexpr Duration grace = std::chrono::seconds(10);

// Apart from those that tests give to their hosts.
constexpr const char* own_address = "10.255.0.1";

thread_local void* current_run = nullptr;  // a TestRun::State

std::string in_words(Duration time) {
    char text[32];
    std::snprintf(text, sizeof text, "%g s", std::chrono::duration<double>(time).count());
    return text;
}

/// What the step is doing, and what else is going on: the dump of the tasks, in which this run's own is the first.
std::string describe_tasks(Reactor& reactor) {
    const std::string dump = dump_tasks(reactor);
    const std::size_t second_line = dump.find('\n') + 1;
    const std::size_t end = dump.find('\n', second_line);
    const std::size_t state = dump.rfind(", ", end);  // behind the name of a coroutine of the kit
    if (end == dump.npos || state == dump.npos) return dump;
    return " it" + dump.substr(state + 1, dump.find_last_not_of('\n') - state);
}

}  // namespace

struct TestRun::State {
    /// Fires when a step has used up its limit, and once more when it does not end although it was cancelled.
    class Watch : Timer {
    public:
        Watch(State& state, const char* what, Duration limit, bool cancelled)
            : Timer(&fired), state_(state), what_(what), limit_(limit), cancelled_(cancelled) {
            arm(limit);
        }
        [[nodiscard]] bool has_fired() const noexcept { return has_fired_; }

    private:
        void arm(Duration limit) { state_.reactor->timers().arm(*this, saturating_add(state_.reactor->now(), limit)); }
        static void fired(Timer& timer) noexcept {
            auto& self = static_cast<Watch&>(timer);
            State& state = self.state_;
            self.has_fired_ = true;
            const std::string tasks = describe_tasks(*state.reactor);
            if (self.cancelled_) {
                state.add(self.what_ + std::string(" does not end although it was cancelled:") + tasks);
                state.reactor->crash();
            } else {
                state.add(self.what_ + std::string(" was still running after ") + in_words(self.limit_) + ":" + tasks);
                self.cancelled_ = true;
                self.arm(grace);
            }
        }

        State& state_;
        const char* what_;
        Duration limit_;
        bool cancelled_;
        bool has_fired_ = false;
    };

    void add(std::string text, Failure failure = {}) { found.push_back({std::move(text), std::move(failure)}); }

    Task<bool> step(const char* what, Function<Task<>()>& make, bool is_shielded);
    Task<> conduct(TestCase& test, Function<Task<>()>& body);
    void end_programs();
    void end_reactor();

    TestOptions options;
    LoggedErrors logged;  // until everything else is gone
    std::unique_ptr<Programs> programs;
    std::unique_ptr<sim::World> world;
    std::unique_ptr<Reactor> reactor;
    std::unique_ptr<detail::Leftovers> leftovers;
    std::vector<Function<Task<>()>> cleanups;
    std::vector<Problem> found;
    std::unique_ptr<Watch> shutdown;
    bool finished = false;  // the steps have been made
};

TestRun::TestRun(const TestOptions& options, std::uint64_t seed) : state_(std::make_unique<State>()) {
    LARIAT_CHECK(!current_run, "a test runs inside another one: a thread runs one TestRun at a time");
    State& state = *state_;
    state.options = options;
    const io::BackendKind kind = options.backend().value_or(io::backend_kind_from_environment());
    if (kind == io::BackendKind::sim) {
        state.world = std::make_unique<sim::World>(seed);
        state.programs = std::make_unique<Programs>(*state.world);
        if (const char* trace = std::getenv("LARIAT_SIM_TRACE"); trace && *trace) {
            state.world->trace_to([](std::string_view line) {
                std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
            });
        }
        sim::Host& host = state.world->add_host("localhost", {own_address});
        state.reactor = std::make_unique<Reactor>(std::make_unique<sim::SimBackend>(host));
    } else {
        state.reactor = std::make_unique<Reactor>(ReactorOptions().backend(kind));
    }
    state.leftovers = std::make_unique<detail::Leftovers>(*state.reactor);
    current_run = &state;
}

TestRun::~TestRun() {
    current_run = nullptr;
    state_->end_reactor();
}

void TestRun::run(TestCase& test, Function<Task<>()> body) {
    State& state = *state_;
    state.reactor->call_when_running([&state, &test, &body] {
        spawn([](State& self, TestCase& of, Function<Task<>()>& f) -> Task<> { return self.conduct(of, f); },
              std::ref(state), std::ref(test), std::ref(body));
    });
    state.reactor->run();
    state.shutdown.reset();
    const int signal = state.world ? 0 : state.reactor->exit_signal();
    // What was given up may still go on while the reactor ends, and needs the test.
    if (!state.finished) state.end_reactor();
    state.end_programs();
    if (signal != 0) std::raise(signal);  // it was meant for all tests
}

Task<bool> TestRun::State::step(const char* what, Function<Task<>()>& make, bool is_shielded) {
    const Watch watch(*this, what, options.timeout(), false);
    Failure failure;
    try {
        Task<> bounded = with_timeout(options.timeout(), make());
        if (is_shielded) bounded = shield(std::move(bounded));
        const Outcome<> outcome = co_await Hidden(as_result(std::move(bounded)));
        failure = outcome.failure();
    } catch (...) {
        failure = Failure(std::current_exception(), std::source_location());
    }
    if (watch.has_fired()) co_return false;
    if (!failure) co_return true;
    const auto* const cancelled = failure.value<Cancelled>();
    if (cancelled && cancelled->reason() == CancelReason::shutdown) {
        add(what + std::string(" was cancelled because its reactor was stopped"));
    } else {
        add(what + std::string(" failed:\n") + failure.traceback(), failure);
    }
    co_return false;
}

Task<> TestRun::State::conduct(TestCase& test, Function<Task<>()>& body) {
    Function<Task<>()> set_up = [&test] { return test.set_up(); };
    Function<Task<>()> tear_down = [&test] { return test.tear_down(); };
    const bool is_set_up = co_await Hidden(step("set_up()", set_up, false));
    if (is_set_up) co_await Hidden(step("the test", body, false));
    while (!cleanups.empty()) {
        Function<Task<>()> cleanup = std::move(cleanups.back());
        cleanups.pop_back();
        co_await Hidden(step("a cleanup", cleanup, true));
    }
    if (is_set_up) co_await Hidden(step("tear_down()", tear_down, true));
    const Outcome<std::vector<std::string>> left = co_await as_result(leftovers->find());
    if (left) {
        for (const std::string& each : *left) add("left behind: " + each);
    }
    finished = true;
    shutdown = std::make_unique<Watch>(*this, "the shutdown", grace, true);
    try {
        reactor->stop();
    } catch (const ReactorNotRunning&) {
        // The test has stopped it.
    }
}

void TestRun::State::end_programs() {
    if (!programs) return;
    const std::string left = programs->end_programs();
    for (const Programs::Problem& each : programs->problems()) {
        add("program " + each.program + " of host " + each.host + " failed:\n" + each.failure.traceback(),
            each.failure);
    }
    if (left.empty()) return;
    add("programs do not end when they are asked to, on " + left);
    // They wait in it for good.
    static auto& abandoned = *new std::vector<std::pair<std::unique_ptr<sim::World>, std::unique_ptr<Programs>>>;
    end_reactor();
    abandoned.emplace_back(std::move(world), std::move(programs));
}

void TestRun::State::end_reactor() {
    shutdown.reset();
    leftovers.reset();
    reactor.reset();
}

std::vector<TestRun::Problem> TestRun::problems() {
    State& state = *state_;
    state.cleanups.clear();
    state.end_reactor();
    state.world.reset();
    for (const LoggedErrors::Event& event : state.logged.flush()) {
        state.add("an error was logged by " + event.system + ": " + event.text, event.failure);
    }
    return std::exchange(state.found, {});
}

// The test

TestCase::TestCase() : run_(*static_cast<TestRun::State*>(current_run)) {
    LARIAT_CHECK(current_run, "a TestCase lives inside a TestRun: make one first, or use LARIAT_TEST_CASE");
}

Task<> TestCase::set_up() { co_return; }
Task<> TestCase::tear_down() { co_return; }

Reactor& TestCase::reactor() const noexcept { return *run_.reactor; }

sim::World& TestCase::world() const noexcept {
    LARIAT_CHECK(run_.world, "only a test on the backend sim has a world(): use LARIAT_SIM_TEST_CASE");
    return *run_.world;
}

Programs& TestCase::programs() const noexcept {
    static_cast<void>(world());
    return *run_.programs;
}

LoggedErrors& TestCase::logged_errors() const noexcept { return run_.logged; }

void TestCase::keep_cleanup(Function<Task<>()> cleanup) { run_.cleanups.push_back(std::move(cleanup)); }

std::optional<std::uint64_t> seed_from_environment() {
    const char* const text = std::getenv("LARIAT_SIM_SEED");
    if (!text || !*text) return std::nullopt;
    std::uint64_t seed = 0;
    const auto [end, error] = std::from_chars(text, text + std::strlen(text), seed);
    if (error != std::errc() || *end) throw UsageError("LARIAT_SIM_SEED=" + std::string(text) + " is no number");
    return seed;
}

}  // namespace lariat::testing
