// SPDX-License-Identifier: MIT
// A task that holds the loop is reported with the await it went on at.
#include <lariat/test/support/coro_world.hpp>
#include <lariat/test/support/watched_logs.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <string>

TEST_SUITE_BEGIN("threads");

namespace lariat {
namespace {

int line = 0;

Task<> holds_the_loop(test::WatchedLogs& logs) {
    line = __LINE__ + 1;
    co_await yield();
    logs.wait_for("the loop has been held for more than 20 ms");
}

LARIAT_KERNEL_TEST_CASE("a task that holds the loop is reported with the await it went on at") {
    test::WatchedLogs logs;
    Reactor reactor(ReactorOptions().backend(backend_kind).stall_limit(std::chrono::milliseconds(20)));
    CHECK(run(reactor, holds_the_loop(logs)) == 0);
    const std::string text = logs.text();
    CHECK_MESSAGE(text.find("by a task that went on at ") != text.npos, text);
    CHECK_MESSAGE(text.find("stall_test.cpp:" + std::to_string(line) + ", in ") != text.npos, text);
    CHECK_MESSAGE(text.find("holds_the_loop") != text.npos, text);
}

}  // namespace
}  // namespace lariat
