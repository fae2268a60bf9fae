// SPDX-License-Identifier: MIT
// dump_tasks(), and the occasions on which it is logged.
#include <lariat/coro/task_tree.hpp>

#include <lariat/coro/deferred.hpp>
#include <lariat/coro/race.hpp>
#include <lariat/coro/shield.hpp>
#include <lariat/coro/sync/mutex.hpp>
#include <lariat/coro/with_timeout.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/test/support/coro_world.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <functional>
#include <regex>
#include <sstream>
#include <string>

namespace lariat {
namespace {

using test::an_hour;
using test::run_on;
using test::settle;

/// "inner" of "lariat::Task<> lariat::{anonymous}::inner(int)", however the compiler spells that.
std::string short_name(std::string pretty) {
    for (const char* nameless : {"{anonymous}", "(anonymous namespace)"}) {
        for (auto at = pretty.find(nameless); at != pretty.npos; at = pretty.find(nameless))
            pretty.erase(at, std::string(nameless).size());
    }
    pretty.erase(std::min(pretty.find('('), pretty.size()));
    return pretty.substr(pretty.find_last_of(" :") + 1);
}

/// The dump with short names of functions and files, and without ages.
std::string dump() {
    std::istringstream lines_of_dump(dump_tasks());
    std::string text;
    for (std::string line; std::getline(lines_of_dump, line);) {
        const std::size_t indent = line.find_first_not_of(' ');
        if (const auto in = line.find(", in "); in != line.npos) {
            const auto folder = line.rfind('/', in);
            const std::size_t file = folder == line.npos ? indent : folder + 1;
            line = line.substr(file, in + 5 - file) + short_name(line.substr(in + 5));
        } else {
            line = std::regex_replace(line.substr(indent), std::regex(", [0-9.e+-]+ m?s, "), ", AGE, ");
            const auto age = line.find(", AGE, "), state = line.find(", waits for ");
            if (const auto end = std::min(age, state); end != line.npos)
                line = short_name(line.substr(0, end)) + line.substr(end);
        }
        text.append(indent, ' ').append(line).append("\n");
    }
    return text;
}

struct Lines {
    int inner = 0, outer = 0, body = 0, lock = 0;
};
Lines lines;

Task<> inner() {
    lines.inner = __LINE__ + 1;
    co_await sleep(an_hour);
}
Task<> outer() {
    lines.outer = __LINE__ + 1;
    co_await with_timeout(an_hour, inner());
}
Task<> locks(Mutex& mutex) {
    lines.lock = __LINE__ + 1;
    co_await mutex.lock();
}
Task<> children(TaskScope& scope, Mutex& mutex) {
    scope.spawn(outer);
    scope.spawn(locks, std::ref(mutex));
    lines.body = __LINE__ + 1;
    co_await sleep(an_hour);
}
constexpr int has_children_line = __LINE__ + 1;
Task<> has_children(Mutex& mutex) { co_await with_scope(children, std::ref(mutex)); }

std::string at(int line, const char* name) {
    return "task_tree_test.cpp:" + std::to_string(line) + ", in " + name + "\n";
}

Task<> shows_tree() {
    Mutex mutex;
    REQUIRE(mutex.try_lock());
    const JoinHandle<> root = spawn(has_children, std::ref(mutex));
    co_await settle();
    const std::string text = dump();
    const std::string tree = "has_children, AGE, waits for with_scope\n"
                             "  "
                             + at(has_children_line, "has_children")
                             + "    children, AGE, waits for sleep\n"
                               "      "
                             + at(lines.body, "children")
                             + "    outer, AGE, waits for sleep\n"
                               "      "
                             + at(lines.outer, "outer") + "      " + at(lines.inner, "inner")
                             + "    locks, AGE, waits for lock\n"
                               "      "
                             + at(lines.lock, "locks");
    CHECK_MESSAGE(text.find(tree) != text.npos, text);
    CHECK_MESSAGE(text.find("5 tasks\n") == 0, text);
    mutex.unlock();
    root.cancel();
}
LARIAT_BACKEND_TEST_CASE("dump_tasks() shows every task once, below its scope, with the places it stands at") {
    run_on(backend_kind, shows_tree);
}

Task<> stubborn() { co_await shield(outer()); }
Task<> sleeps() { co_await sleep(an_hour); }
Task<> takes(Mutex& mutex, std::string& seen) {
    co_await mutex.lock();
    seen = dump();
}

Task<> shows_states() {
    Mutex mutex;
    REQUIRE(mutex.try_lock());
    std::string seen;
    const JoinHandle<> shielded = spawn(stubborn);
    const JoinHandle<> racing = spawn([]() -> Task<> { co_await race(sleeps(), inner()); });
    const JoinHandle<> taking = spawn(takes, std::ref(mutex), std::ref(seen));
    shielded.cancel();
    co_await settle();
    std::string text = dump();
    CHECK_MESSAGE(text.find("stubborn, AGE, cancelled (requested), waits for sleep\n") != text.npos, text);
    CHECK_MESSAGE(text.find("waits for several tasks\n") != text.npos, text);
    CHECK_MESSAGE(text.find("    sleeps, AGE, waits for sleep\n") != text.npos, text);
    CHECK_MESSAGE(text.find("    inner, AGE, waits for sleep\n") != text.npos, text);
    mutex.unlock();
    text = dump();  // what is decided has not gone on yet
    CHECK_MESSAGE(text.find("takes, AGE, waits for lock\n") != text.npos, text);
    co_await taking;
    CHECK_MESSAGE(seen.find("takes, AGE, running\n") != seen.npos, seen);
    text = dump();
    CHECK_MESSAGE(text.find("takes") == text.npos, text);
    racing.cancel();
    co_await settle();
    text = dump();
    CHECK_MESSAGE(text.find("several tasks") == text.npos, text);
}
TEST_CASE("dump_tasks() shows what was cancelled, what runs, and nothing that has ended") {
    CapturedLogs logs;
    Reactor reactor(ReactorOptions().backend(io::BackendKind::sim));  // what is shielded sleeps for an hour
    CHECK(run(reactor, shows_states()) == 0);
}

constexpr int deferreds_line = __LINE__ + 1;
Deferred<> asks(Deferred<> answer) { co_await std::move(answer); }
Deferred<> passes_on(Deferred<> answer) { co_await asks(std::move(answer)); }
Task<> awaits_deferred(Deferred<> answer) { co_await passes_on(std::move(answer)); }

Task<> shows_deferreds() {
    Deferred<> first, second;
    const JoinHandle<> task = spawn(awaits_deferred, first);
    const Deferred<> alone = passes_on(second);
    std::string text = dump();
    CHECK_MESSAGE(text.find("\nawaits_deferred, AGE, waits for a Deferred\n  "
                            + at(deferreds_line + 2, "awaits_deferred") + "  " + at(deferreds_line + 1, "passes_on")
                            + "  " + at(deferreds_line, "asks"))
                      != text.npos,
                  text);
    CHECK_MESSAGE(text.find("\npasses_on, waits for a Deferred\n  " + at(deferreds_line + 1, "passes_on") + "  "
                            + at(deferreds_line, "asks"))
                      != text.npos,
                  text);
    CHECK_MESSAGE(text.find("\nasks") == text.npos, text);
    first.callback();
    second.callback();
    text = dump();
    CHECK_MESSAGE(text.find("passes_on") == text.npos, text);
    co_await task;
}
TEST_CASE("dump_tasks() follows functions that return Deferred, and shows those that no task waits for") {
    run_on(io::BackendKind::epoll, shows_deferreds);
}

Task<> raises_signal() {
    CapturedLogs logs;
    std::raise(SIGUSR1);
    co_await settle();
    CHECK(logs.count("Received SIGUSR1: 0 connections, 0 delayed calls, 0 watched descriptors\n1 task\n") == 1);
    CHECK(logs.count("raises_signal") == 1);
}
TEST_CASE("SIGUSR1 logs the tasks, and the program goes on") {
    struct sigaction action = {}, before = {};
    action.sa_handler = SIG_DFL;
    sigaction(SIGUSR1, &action, &before);
    run_on(io::BackendKind::epoll, raises_signal);
    sigaction(SIGUSR1, nullptr, &action);
    CHECK((action.sa_handler == SIG_DFL));
    sigaction(SIGUSR1, &before, nullptr);
}

Task<> takes_its_time() {
    co_await shield([]() -> Task<> { co_await sleep(std::chrono::seconds(20)); }());
}
Task<> stops_early() {
    spawn(takes_its_time);
    Reactor::current()->stop();
    co_return;
}
TEST_CASE("a shutdown that takes long logs what it waits for, once, and goes on waiting") {
    CapturedLogs logs;
    Reactor reactor(ReactorOptions().backend(io::BackendKind::sim));
    const TimePoint start = reactor.now();
    CHECK(run(reactor, stops_early()) == 0);
    CHECK(reactor.now() - start >= std::chrono::seconds(20));
    CHECK(logs.count("the shutdown waits for tasks that do not end: 1 task\n") == 1);
    CHECK(logs.count("takes_its_time") == 1);
    CHECK(logs.count("cancelled (shutdown), waits for sleep\n") == 1);
}

}  // namespace
}  // namespace lariat
