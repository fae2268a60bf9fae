// SPDX-License-Identifier: MIT
// TestCase: a test whose body is a coroutine, with a reactor or a simulated network of its own, a limit, cleanups, and
// a look at what it leaves behind (Twisted: trial's TestCase). Independent of the test framework: testing/doctest.hpp
// makes doctest cases of it, and with any other TestRun::problems() says what went wrong.
//
// In order: set_up(), the body, the cleanups (last in, first out), tear_down(). When set_up() fails the body and
// tear_down() are left out, the cleanups are not. Each is a step of its own with the limit for itself.
//
// Then nothing may be left: delayed calls, sockets, ports and connections, tasks and functions that return Deferred and
// wait, programs of simulated hosts, failures nobody looked at, errors in the log. What is, is a problem that says
// which, and is ended before the next test.
//
// Threads: one; the reactor is made and run by the thread that runs the test.
#pragma once

#include <lariat/coro/deferred.hpp>
#include <lariat/coro/task.hpp>
#include <lariat/io/base/clock.hpp>
#include <lariat/io/base/function.hpp>
#include <lariat/io/make_backend.hpp>
#include <lariat/runtime/failure.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/testing/logs.hpp>
#include <lariat/testing/patch.hpp>
#include <lariat/testing/sim.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace lariat::testing {

/// How a test is run.
class TestOptions {
public:
    /// The backend; without it LARIAT_BACKEND, and the best one this kernel allows.
    TestOptions& backend(io::BackendKind kind) noexcept { return backend_ = kind, *this; }
    /// The limit of each step, in the reactor's time: virtual on a simulated network. Unless set it is the member
    /// `static constexpr Duration timeout` of the test's class, if it has one, and else 120 s.
    TestOptions& timeout(Duration limit) noexcept { return timeout_ = limit, *this; }
    /// On a simulated network: runs with the seeds `first`, `first` + 1, ..., `count` of them. LARIAT_SIM_SEED names
    /// the only one instead.
    TestOptions& seeds(unsigned count, std::uint64_t first = 1) noexcept {
        return seed_count_ = count, first_seed_ = first, *this;
    }

    [[nodiscard]] std::optional<io::BackendKind> backend() const noexcept { return backend_; }
    [[nodiscard]] Duration timeout() const noexcept { return timeout_.value_or(std::chrono::seconds(120)); }
    [[nodiscard]] bool has_timeout() const noexcept { return timeout_.has_value(); }
    [[nodiscard]] unsigned seed_count() const noexcept { return seed_count_; }
    [[nodiscard]] std::uint64_t first_seed() const noexcept { return first_seed_; }

private:
    std::optional<io::BackendKind> backend_;
    std::optional<Duration> timeout_;
    unsigned seed_count_ = 1;
    std::uint64_t first_seed_ = 1;
};

class TestCase;

/// One run of one test: makes the reactor, runs the steps, says what went wrong.
///
/// Lifetime: the TestCase is made and destroyed within it, its end is looked at too:
/// `TestRun run(options); { MyCase test; run.run(test, [&] { return test.body(); }); } report(run.problems());`
class TestRun {
public:
    struct Problem {
        std::string text;
        Failure failure;  ///< empty when no exception is behind it
    };

    /// On `sim` with a World of its own, made from `seed`, in which the test is on a host called "localhost".
    /// Errors: as the constructor of Reactor.
    explicit TestRun(const TestOptions& options = {}, std::uint64_t seed = 1);
    TestRun(const TestRun&) = delete;
    TestRun& operator=(const TestRun&) = delete;
    ~TestRun();

    /// Runs everything and returns when the reactor has shut down. Once.
    void run(TestCase& test, Function<Task<>()> body);
    /// After the TestCase was destroyed: ends the reactor and the World, and says all that went wrong.
    std::vector<Problem> problems();

private:
    friend class TestCase;
    struct State;

    std::unique_ptr<State> state_;
};

class TestCase {
public:
    /// Errors: panics unless a TestRun is there, as inside of the macros of testing/doctest.hpp.
    TestCase();
    TestCase(const TestCase&) = delete;
    TestCase& operator=(const TestCase&) = delete;
    virtual ~TestCase() = default;

    /// Before and after the body, for classes that several tests inherit.
    virtual Task<> set_up();
    virtual Task<> tear_down();

    /// The one the test runs on; Reactor::current() in all of its steps.
    [[nodiscard]] Reactor& reactor() const noexcept;
    /// The network of a test on `sim`; panics on others. Hosts that a test adds run programs with start().
    [[nodiscard]] sim::World& world() const noexcept;
    /// Runs `function(arguments...)`, a Task<>, as a program of `host`, see Programs::start(). It is asked to end when
    /// the test has ended; what escapes it is the test's failure.
    template <class F, class... A>
    void start(sim::Host& host, std::string_view program, F function, A... arguments) {
        programs().start(host, program, std::move(function), std::move(arguments)...);
    }

    /// Calls `f` when the body has ended, however it did; before the cleanups that were added earlier. `f` may return
    /// nothing, a Task<> or a Deferred<>.
    template <class F>
    void add_cleanup(F f) {
        keep_cleanup([kept = std::move(f)]() mutable { return call(kept); });
    }
    /// Sets `object` to `value` until the cleanups.
    template <class T, class U>
    void patch(T& object, U&& value) {
        auto patched = std::make_shared<Patch<T>>(object, std::forward<U>(value));
        add_cleanup([patched] { patched->restore(); });
    }
    /// Takes out and returns the logged errors of these classes, or all; they do not fail the test any more.
    template <class... E>
    std::vector<LoggedErrors::Event> flush_logged_errors() {
        return logged_errors().flush<E...>();
    }

private:
    template <class F>
    static Task<> call(F& f) {
        if constexpr (std::is_void_v<decltype(f())>) {
            f();
            co_return;
        } else {
            co_await lariat::detail::Hidden(f());
        }
    }
    [[nodiscard]] Programs& programs() const noexcept;
    [[nodiscard]] LoggedErrors& logged_errors() const noexcept;
    void keep_cleanup(Function<Task<>()> cleanup);

    TestRun::State& run_;
};

/// LARIAT_SIM_SEED, if it is set. Errors: UsageError when it is no number.
[[nodiscard]] std::optional<std::uint64_t> seed_from_environment();

}  // namespace lariat::testing
