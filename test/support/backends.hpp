// SPDX-License-Identifier: MIT
// LARIAT_BACKEND_TEST_CASE: one test, run on every backend.
//
//     LARIAT_BACKEND_TEST_CASE("an echo comes back") {
//         Reactor reactor(ReactorOptions().backend(backend_kind));
//         ...
//     }
//
// Each backend is a test case of its own, named "an echo comes back<epoll>". LARIAT_TEST_BACKENDS=uring,epoll restricts
// the run. Where this machine refuses a backend, its cases do nothing, and one line at the end of the run says how many
// and why. A backend is added in this file only: a type of `backends_under_test` and a place in the list of the macro.
#pragma once

#include <lariat/io/make_backend.hpp>

#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace lariat::test {

namespace backends_under_test {

struct uring {
    static constexpr io::BackendKind kind = io::BackendKind::uring;
    static constexpr std::string_view name = "uring";
    static std::optional<std::string> why_not() { return io::why_no_uring(); }
};

struct epoll {
    static constexpr io::BackendKind kind = io::BackendKind::epoll;
    static constexpr std::string_view name = "epoll";
    static std::optional<std::string> why_not() { return std::nullopt; }
};

struct sim {
    static constexpr io::BackendKind kind = io::BackendKind::sim;
    static constexpr std::string_view name = "sim";
    static std::optional<std::string> why_not() { return std::nullopt; }
};

}  // namespace backends_under_test

/// Whether LARIAT_TEST_BACKENDS lists `name`, or is not set.
inline bool backend_wanted(std::string_view name) {
    const char* setting = std::getenv("LARIAT_TEST_BACKENDS");
    if (!setting || !*setting) return true;
    return ("," + std::string(setting) + ",").find("," + std::string(name) + ",") != std::string::npos;
}

/// Counts the cases that could not run and reports them when the program ends.
class SkippedCases {
public:
    explicit SkippedCases(std::string_view backend) : backend_(backend) {}
    ~SkippedCases() {
        if (count_ == 0) return;
        std::fprintf(stderr, "skipped: %d test cases on %s: %s\n", count_, backend_.c_str(), why_.c_str());
    }
    void add(const std::string& why) {
        ++count_;
        why_ = why;
    }

private:
    std::string backend_;
    std::string why_;
    int count_ = 0;
};

template <class OnBackend>
bool backend_runs() {
    if (!backend_wanted(OnBackend::name)) return false;
    static const std::optional<std::string> why = OnBackend::why_not();
    static SkippedCases skipped(OnBackend::name);
    if (why) skipped.add(*why);
    return !why;
}

}  // namespace lariat::test

TYPE_TO_STRING_AS("uring", ::lariat::test::backends_under_test::uring);
TYPE_TO_STRING_AS("epoll", ::lariat::test::backends_under_test::epoll);
TYPE_TO_STRING_AS("sim", ::lariat::test::backends_under_test::sim);

#define LARIAT_BACKEND_TEST_CASE_ON(function, title, ...)                         \
    static void function(::lariat::io::BackendKind backend_kind);                 \
    TEST_CASE_TEMPLATE(title, OnBackend, __VA_ARGS__) {                           \
        if (::lariat::test::backend_runs<OnBackend>()) function(OnBackend::kind); \
    }                                                                             \
    static void function([[maybe_unused]] ::lariat::io::BackendKind backend_kind)

/// The same on a real kernel only: for tests that play the far end with system calls of their own.
#define LARIAT_KERNEL_TEST_CASE(title)                                          \
    LARIAT_BACKEND_TEST_CASE_ON(DOCTEST_ANONYMOUS(lariat_backend_case_), title, \
                                ::lariat::test::backends_under_test::uring,     \
                                ::lariat::test::backends_under_test::epoll)

/// Defines a test that gets `backend_kind` and runs once per backend.
#define LARIAT_BACKEND_TEST_CASE(title)                                         \
    LARIAT_BACKEND_TEST_CASE_ON(DOCTEST_ANONYMOUS(lariat_backend_case_), title, \
                                ::lariat::test::backends_under_test::uring,     \
                                ::lariat::test::backends_under_test::epoll, ::lariat::test::backends_under_test::sim)
