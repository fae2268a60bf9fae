// SPDX-License-Identifier: MIT
// The small things of io/base: Function, IntrusiveList, log, Result, Error, Bytes, time.
#include <lariat/io/base/bytes.hpp>
#include <lariat/io/base/clock.hpp>
#include <lariat/io/base/error.hpp>
#include <lariat/io/base/function.hpp>
#include <lariat/io/base/intrusive_list.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/io/base/result.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace lariat;

TEST_SUITE_BEGIN("io base");

TEST_CASE("Function calls what it holds, small or large, and destroys it once") {
    const auto counter = std::make_shared<int>(0);
    const auto exercise = [&](auto padding) {
        Function<int(int)> function = [counter, padding](int add) {
            (void)padding;
            return *counter += add;
        };
        CHECK(counter.use_count() == 2);
        CHECK(function(2) == *counter);
        Function<int(int)> moved = std::move(function);
        CHECK_FALSE(function);
        CHECK(moved);
        CHECK(counter.use_count() == 2);
        CHECK(moved(3) == *counter);
        function = std::move(moved);
        CHECK(function(1) == *counter);
        function.reset();
        CHECK_FALSE(function);
        CHECK(counter.use_count() == 1);
    };
    exercise(char{});
    exercise(std::array<char, 200>{});
    CHECK(*counter == 12);
}

TEST_CASE("Function holds what can only be moved and passes references through") {
    Function<void(std::string&)> append = [word = std::make_unique<std::string>("!")](std::string& text) {
        text += *word;
    };
    std::string text = "hey";
    append(text);
    CHECK(text == "hey!");
    Function<std::unique_ptr<int>(std::unique_ptr<int>)> pass = [](std::unique_ptr<int> value) { return value; };
    CHECK(*pass(std::make_unique<int>(7)) == 7);
    Function<void()> ignores_results = [] { return 5; };
    ignores_results();
    Function<void()> empty = nullptr;
    CHECK_FALSE(empty);
}

TEST_CASE("Function may be replaced by what it calls") {
    Function<void()> function;
    int calls = 0;
    function = [&] { ++calls; };
    function();
    function = Function<void()>([&] { calls += 10; });
    function();
    CHECK(calls == 11);
}

namespace {

struct Item : ListHook<> {
    explicit Item(int value_) : value(value_) {}
    int value;
};

std::vector<int> values(IntrusiveList<Item>& list) {
    std::vector<int> all;
    list.for_each([&](Item& item) { all.push_back(item.value); });
    return all;
}

}  // namespace

TEST_CASE("IntrusiveList keeps order and forgets what is unlinked or dies") {
    IntrusiveList<Item> list;
    CHECK(list.empty());
    CHECK(list.pop_front() == nullptr);
    Item one(1), two(2);
    {
        Item three(3);
        for (Item* item : {&one, &two, &three}) list.push_back(*item);
        CHECK(values(list) == std::vector{1, 2, 3});
    }
    CHECK(values(list) == std::vector{1, 2});
    one.unlink();
    one.unlink();
    CHECK_FALSE(one.is_linked());
    CHECK(values(list) == std::vector{2});
    list.push_back(one);
    CHECK(&list.front() == &two);
    CHECK(list.pop_front() == &two);
    CHECK(list.pop_front() == &one);
    CHECK(list.empty());
}

TEST_CASE("IntrusiveList moves all of another list behind its own") {
    IntrusiveList<Item> first, second;
    Item one(1), two(2), three(3);
    first.append(second);
    CHECK(first.empty());
    second.push_back(one);
    first.append(second);
    CHECK(second.empty());
    second.push_back(two);
    second.push_back(three);
    first.append(second);
    CHECK(values(first) == std::vector{1, 2, 3});
    second.push_back(*first.pop_front());
    CHECK(values(second) == std::vector{1});
}

TEST_CASE("IntrusiveList lets go of its elements when it dies or is cleared") {
    Item one(1), two(2);
    {
        IntrusiveList<Item> list;
        list.push_back(one);
        list.push_back(two);
        list.for_each([](Item& item) { item.unlink(); });
        CHECK(list.empty());
        list.push_back(one);
        list.clear();
        CHECK_FALSE(one.is_linked());
        list.push_back(two);
    }
    CHECK_FALSE(two.is_linked());
}

TEST_CASE("an element may be in one list for each of its tags") {
    struct A;
    struct B;
    struct Both : ListHook<A>, ListHook<B> {
    } both;
    IntrusiveList<Both, A> a;
    IntrusiveList<Both, B> b;
    a.push_back(both);
    b.push_back(both);
    CHECK(a.pop_front() == &both);
    CHECK(&b.front() == &both);
}

TEST_CASE("a log sink receives events and the one before can be restored") {
    CapturedLogs outer;
    {
        CapturedLogs inner;
        log(LogLevel::error, "test", "into the inner one");
        REQUIRE(inner.events().size() == 1);
        CHECK(inner.events()[0].level == LogLevel::error);
        CHECK(inner.events()[0].system == "test");
        CHECK_FALSE(inner.events()[0].error);
        CHECK(inner.count("inner") == 1);
        CHECK(inner.count("outer") == 0);
        inner.clear();
        CHECK(inner.events().empty());
    }
    log(LogLevel::debug, "test", "into the outer one");
    CHECK(outer.count("into the outer one") == 1);
    CHECK(outer.events().size() == 1);
    CHECK(to_string(LogLevel::warn) == "warn");
}

TEST_CASE("a sink that throws loses the event and nothing else") {
    LogSink before = set_log_sink([](const LogEvent&) { throw 1; });
    log(LogLevel::error, "test", "lost");
    set_log_sink(std::move(before));
    CapturedLogs logs;
    log(LogLevel::error, "test", "kept");
    CHECK(logs.count("kept") == 1);
}

TEST_CASE("Result is a value or an errno") {
    Result<std::unique_ptr<int>> good = std::make_unique<int>(3);
    REQUIRE(good);
    CHECK(good.error() == 0);
    CHECK(**good == 3);
    const std::unique_ptr<int> taken = *std::move(good);
    CHECK(*taken == 3);
    const auto bad = Result<int>::failed(ENOENT);
    CHECK_FALSE(bad);
    CHECK(bad.error() == ENOENT);
}

TEST_CASE("Error carries its message and errno through copies") {
    const Error error("bind 127.0.0.1:80: Permission denied", EACCES);
    const Error copy = error;
    CHECK(copy.what() == std::string("bind 127.0.0.1:80: Permission denied"));
    CHECK(copy.os_error() == EACCES);
    CHECK(describe_errno("connect", ECONNREFUSED) == "connect: Connection refused");
    CHECK_FALSE(errno_text(99999).empty());
}

TEST_CASE("Bytes view text and memory without copying") {
    const std::string text = "hello";
    const Bytes bytes = text;
    CHECK(bytes.size() == 5);
    CHECK(bytes.text().data() == text.data());
    CHECK(bytes.first(2) == Bytes("he"));
    CHECK(bytes.first(100) == bytes);
    CHECK(bytes.skip(2) == Bytes("llo"));
    CHECK(bytes.skip(5).empty());
    CHECK(bytes.skip(100).empty());
    CHECK(bytes[1] == std::byte{'e'});
    CHECK(Bytes().empty());
    CHECK(Bytes().str().empty());
}

TEST_CASE("deadlines saturate instead of overflowing") {
    CHECK(saturating_add(TimePoint(Duration(5)), Duration(7)) == TimePoint(Duration(12)));
    CHECK(saturating_add(TimePoint(Duration(5)), Duration::max()) == never);
    CHECK(saturating_add(never, Duration(1)) == never);
    CHECK(saturating_add(TimePoint(Duration(5)), Duration(-7)) == TimePoint(Duration(-2)));
}

TEST_SUITE_END();

TEST_SUITE("io threads") {
    TEST_CASE("any thread may log while the sink changes") {
        CapturedLogs logs;
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([] {
                for (int n = 0; n < 500; ++n) log(LogLevel::info, "threads", "line");
            });
        }
        for (std::thread& thread : threads) thread.join();
        CHECK(logs.count("line") == 2000);
    }
}
