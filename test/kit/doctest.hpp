// SPDX-License-Identifier: MIT
// Tests of doctest whose body is a coroutine:
//
//     LARIAT_TEST_CASE("an echo comes back") {
//         TcpStream stream = co_await connect("127.0.0.1", port);
//         co_await stream.write("hello");
//         CHECK((co_await stream.read_exactly(5)).text() == "hello");
//     }
//
// The body is a member function of a class derived from testing::TestCase: reactor(), add_cleanup(), patch(),
// flush_logged_errors() and, on a simulated network, world() and start() are there. Everything of doctest works inside:
// assertions, INFO, SUBCASE, and decorators behind the title ("title" * doctest::skip()). What follows the title is a
// testing::TestOptions.
//
//     LARIAT_TEST_CASE(title, options)                  on LARIAT_BACKEND, or the best backend; returns Task<>
//     LARIAT_SIM_TEST_CASE(title, options)              on a simulated network, in virtual time
//     LARIAT_DEFERRED_TEST_CASE(title, options)         the body returns a Deferred<>, and may be a coroutine
//     LARIAT_TEST_CASE_FIXTURE(Class, title, options)   the body is a member of a class derived from Class
//     LARIAT_SIM_TEST_CASE_FIXTURE(Class, title, options)
//
// The one header of the kit that needs doctest.
#pragma once

#include <lariat/coro/deferred.hpp>
#include <lariat/coro/task.hpp>
#include <lariat/io/make_backend.hpp>
#include <lariat/testing/test_case.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace lariat::testing::detail {

/// Counts what fails, so that the seeds end with the first one that does.
class FailureCount final : public doctest::IReporter {
public:
    explicit FailureCount(const doctest::ContextOptions&) {}
    /// Of this process. Failures of other threads count too.
    static inline std::atomic<unsigned> count{0};

    void log_assert(const doctest::AssertData& data) override { count += data.m_failed ? 1 : 0; }
    void log_message(const doctest::MessageData& data) override {
        count += data.m_severity == doctest::assertType::is_warn ? 0 : 1;
    }
    void report_query(const doctest::QueryData&) override {}
    void test_run_start() override {}
    void test_run_end(const doctest::TestRunStats&) override {}
    void test_case_start(const doctest::TestCaseData&) override {}
    void test_case_reenter(const doctest::TestCaseData&) override {}
    void test_case_end(const doctest::CurrentTestCaseStats&) override {}
    void test_case_exception(const doctest::TestCaseException&) override {}
    void subcase_start(const doctest::SubcaseSignature&) override {}
    void subcase_end() override {}
    void test_case_skipped(const doctest::TestCaseData&) override {}
};
inline const int failure_count_registered = doctest::registerReporter<FailureCount>("lariat_failure_count", 0, false);

inline Task<> as_body(Task<> task) { return task; }
inline Task<> as_body(Deferred<> deferred) { return as_task(std::move(deferred)); }

/// Tells doctest.
inline void report(const std::vector<TestRun::Problem>& problems, const char* file, int line) {
    bool stop = false;
    for (const TestRun::Problem& problem : problems) {
        // What REQUIRE throws, doctest has reported.
        if (problem.failure.check<doctest::detail::TestFailureException>()) {
            stop = true;
        } else {
            DOCTEST_ADD_FAIL_CHECK_AT(file, line, problem.text);
        }
    }
    if (stop) throw doctest::detail::TestFailureException();
}

template <class Case>
void run_once(const TestOptions& options, std::uint64_t seed, const char* file, int line) {
    TestRun run(options, seed);
    {
        Case test;
        run.run(test, [&test] { return as_body(test.body()); });
    }
    report(run.problems(), file, line);
}

template <class Case>
void run_case(TestOptions options, const char* file, int line) {
    if constexpr (requires { Duration(Case::timeout); }) {
        if (!options.has_timeout()) options.timeout(Case::timeout);
    }
    if (options.backend().value_or(io::backend_kind_from_environment()) != io::BackendKind::sim) {
        run_once<Case>(options, 0, file, line);
        return;
    }
    const std::optional<std::uint64_t> only = seed_from_environment();
    const unsigned count = only ? 1 : options.seed_count();
    for (unsigned i = 0; i < count; ++i) {
        const std::uint64_t seed = only.value_or(options.first_seed() + i);
        DOCTEST_INFO("see it again: LARIAT_SIM_SEED=", seed);
        const unsigned before = FailureCount::count;
        run_once<Case>(options, seed, file, line);
        if (FailureCount::count != before) return;
    }
}

}  // namespace lariat::testing::detail

#define LARIAT_TEST_CASE_AS(Case, function, Base, Result, title, options)                              \
    namespace {                                                                                        \
    struct Case final : Base {                                                                         \
        Result body();                                                                                 \
    };                                                                                                 \
    }                                                                                                  \
    static void function() { ::lariat::testing::detail::run_case<Case>(options, __FILE__, __LINE__); } \
    DOCTEST_REGISTER_FUNCTION(DOCTEST_EMPTY, function, title)                                          \
    Result Case::body()

#define LARIAT_TEST_CASE_FIXTURE(Base, title, ...)                                                               \
    LARIAT_TEST_CASE_AS(DOCTEST_ANONYMOUS(LariatCase_), DOCTEST_ANONYMOUS(lariat_case_), Base, ::lariat::Task<>, \
                        title, (::lariat::testing::TestOptions(__VA_ARGS__)))
#define LARIAT_SIM_TEST_CASE_FIXTURE(Base, title, ...)                                                           \
    LARIAT_TEST_CASE_AS(DOCTEST_ANONYMOUS(LariatCase_), DOCTEST_ANONYMOUS(lariat_case_), Base, ::lariat::Task<>, \
                        title, (::lariat::testing::TestOptions(__VA_ARGS__).backend(::lariat::io::BackendKind::sim)))
#define LARIAT_DEFERRED_TEST_CASE(title, ...)                                                                         \
    LARIAT_TEST_CASE_AS(DOCTEST_ANONYMOUS(LariatCase_), DOCTEST_ANONYMOUS(lariat_case_), ::lariat::testing::TestCase, \
                        ::lariat::Deferred<>, title, (::lariat::testing::TestOptions(__VA_ARGS__)))

#define LARIAT_TEST_CASE(title, ...) \
    LARIAT_TEST_CASE_FIXTURE(::lariat::testing::TestCase, title __VA_OPT__(, ) __VA_ARGS__)
#define LARIAT_SIM_TEST_CASE(title, ...) \
    LARIAT_SIM_TEST_CASE_FIXTURE(::lariat::testing::TestCase, title __VA_OPT__(, ) __VA_ARGS__)
