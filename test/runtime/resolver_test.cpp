// SPDX-License-Identifier: MIT
#include <lariat/runtime/resolver.hpp>

#include <lariat/io/base/log.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/test/support/backends.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace lariat;
using namespace std::chrono_literals;

namespace {

/// Answers when the test says so.
struct FakeNames final : NameResolver {
    void look_up(const Query& query, Answer answer) override {
        queries.push_back(query);
        answers.push_back(std::move(answer));
    }
    std::vector<Query> queries;
    std::vector<Answer> answers;
};

/// Keeps what a resolution said.
struct Outcome {
    Resolver::Done done() {
        return [this](ResolveResult result_) {
            ++calls;
            result = std::move(result_);
        };
    }
    std::string text() const {
        std::string all;
        for (const Address& address : result.addresses) all += address.str() + " ";
        return result ? all : result.failure.error_message();
    }
    ResolveResult result;
    int calls = 0;
};

void turn_until_called(Reactor& reactor, const Outcome& outcome) {
    const TimePoint end = reactor.now() + 20s;
    while (outcome.calls == 0) {
        REQUIRE(reactor.now() < end);
        reactor.iterate(100ms);
    }
}

}  // namespace

TEST_SUITE_BEGIN("runtime resolver");

LARIAT_BACKEND_TEST_CASE("R21 literals and the empty name are answered without asking, but never inside the call") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    const auto names = std::make_shared<FakeNames>();
    reactor.install_name_resolver(names);
    const auto answer = [&](const char* host, Address::Family family) {
        Outcome outcome;
        const ResolveRequest request =
            reactor.resolver().resolve(host, 80, ResolveOptions().family(family), outcome.done());
        CHECK(outcome.calls == 0);
        CHECK(request.is_active());
        reactor.iterate();
        CHECK(outcome.calls == 1);
        CHECK_FALSE(request.is_active());
        return outcome.text();
    };
    CHECK(answer("10.1.2.3", Address::Family::none) == "10.1.2.3:80 ");
    CHECK(answer("10.1.2.3", Address::Family::ipv4) == "10.1.2.3:80 ");
    CHECK(answer("::1", Address::Family::none) == "[::1]:80 ");
    CHECK(answer("", Address::Family::none) == "0.0.0.0:80 ");
    CHECK(answer("", Address::Family::ipv6) == "[::]:80 ");
    CHECK(answer("::1", Address::Family::ipv4).substr(0, 45) == "DNS lookup failed: address '::1' not found: A");
    CHECK(names->queries.empty());
}

LARIAT_BACKEND_TEST_CASE("R21 a lookup that takes too long fails after the timeout, and its late answer is dropped") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    const auto names = std::make_shared<FakeNames>();
    reactor.install_name_resolver(names);
    CHECK(ResolveOptions().timeout() == 60s);
    Outcome outcome;
    const TimePoint begin = reactor.now();
    const ResolveRequest request =
        reactor.resolver().resolve("slow.example", 80, ResolveOptions().timeout(5ms), outcome.done());
    turn_until_called(reactor, outcome);
    CHECK(reactor.now() - begin >= 5ms);
    CHECK(outcome.result.failure.check<DNSLookupError>());
    CHECK(outcome.text() == "DNS lookup failed: address 'slow.example' not found: timeout error.");
    CHECK_FALSE(request.is_active());
    names->answers.front()({{Address("10.0.0.1:80")}, {}});
    reactor.iterate();
    CHECK(outcome.calls == 1);
}

LARIAT_BACKEND_TEST_CASE(
    "R22 an installed name resolver is asked, the one before is handed back, and failures pass through") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    const auto first = std::make_shared<FakeNames>();
    const auto second = std::make_shared<FakeNames>();
    const std::shared_ptr<NameResolver> original = reactor.install_name_resolver(first);
    CHECK(original != nullptr);
    Outcome found, failed;
    const auto asked =
        reactor.resolver().resolve("a.example", 443, ResolveOptions().family(Address::Family::ipv6), found.done());
    CHECK(reactor.install_name_resolver(second) == first);
    const auto asked_again = reactor.resolver().resolve("b.example", 80, ResolveOptions(), failed.done());
    REQUIRE(first->queries.size() == 1);
    CHECK(first->queries.front().host == "a.example");
    CHECK(first->queries.front().port == 443);
    CHECK(first->queries.front().family == Address::Family::ipv6);
    REQUIRE(second->queries.size() == 1);
    CHECK(second->queries.front().host == "b.example");

    first->answers.front()({{Address("[::2]:443"), Address("[::3]:443")}, {}});
    second->answers.front()({{}, DNSLookupError("nobody knows")});
    CHECK(found.calls == 0);  // from the loop, whenever the answer comes
    reactor.iterate();
    CHECK(found.text() == "[::2]:443 [::3]:443 ");
    CHECK(failed.text() == "DNS lookup failed: nobody knows.");
    CHECK(failed.result.addresses.empty());
    CHECK(reactor.install_name_resolver(original) == second);
}

LARIAT_BACKEND_TEST_CASE("a cancelled resolution is silent, whenever it is cancelled") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    const auto names = std::make_shared<FakeNames>();
    reactor.install_name_resolver(names);
    const auto captured = std::make_shared<int>(0);
    Outcome before_the_answer, before_the_call, literal;
    {
        const auto request = reactor.resolver().resolve("a.example", 1, ResolveOptions(),
                                                        [captured](const ResolveResult&) { *captured = 1; });
        CHECK(captured.use_count() == 2);
    }
    CHECK(captured.use_count() == 1);
    ResolveRequest late = reactor.resolver().resolve("b.example", 1, ResolveOptions(), before_the_call.done());
    ResolveRequest moved = std::move(late);
    CHECK_FALSE(late.is_active());
    names->answers.at(0)({{Address("10.0.0.1:1")}, {}});
    names->answers.at(1)({{Address("10.0.0.1:1")}, {}});
    moved = ResolveRequest();
    { const auto request = reactor.resolver().resolve("10.0.0.1", 1, ResolveOptions(), literal.done()); }
    for (int i = 0; i < 3; ++i) reactor.iterate();
    CHECK(*captured == 0);
    CHECK(before_the_call.calls == 0);
    CHECK(literal.calls == 0);
    CHECK(reactor.timers().empty());
}

LARIAT_BACKEND_TEST_CASE("R23 what the callback throws is logged; it may resolve again and drop its own request") {
    CapturedLogs logs;
    Reactor reactor(ReactorOptions().backend(backend_kind));
    ResolveRequest first, second;
    bool again = false;
    first = reactor.resolver().resolve("10.0.0.1", 1, ResolveOptions(), [&](const ResolveResult&) {
        first = ResolveRequest();
        second =
            reactor.resolver().resolve("10.0.0.2", 1, ResolveOptions(), [&](const ResolveResult&) { again = true; });
        throw UsageError("the callback failed");
    });
    reactor.iterate();
    reactor.iterate();
    CHECK(again);
    CHECK(logs.count("the callback failed") == 1);
}

LARIAT_BACKEND_TEST_CASE("a request outlives its reactor, an answer comes for nobody") {
    const auto names = std::make_shared<FakeNames>();
    ResolveRequest request;
    Outcome outcome;
    {
        Reactor reactor(ReactorOptions().backend(backend_kind));
        reactor.install_name_resolver(names);
        request = reactor.resolver().resolve("a.example", 1, ResolveOptions(), outcome.done());
    }
    CHECK_FALSE(request.is_active());
    names->answers.front()({{Address("10.0.0.1:1")}, {}});
    CHECK(outcome.calls == 0);
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("runtime resolver threads");

LARIAT_BACKEND_TEST_CASE("R21 R22 the default resolver knows what the host knows, with the port that was asked for") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    Outcome ipv4, any, unknown;
    const auto first =
        reactor.resolver().resolve("localhost", 8000, ResolveOptions().family(Address::Family::ipv4), ipv4.done());
    const auto second = reactor.resolver().resolve("localhost", 8000, ResolveOptions(), any.done());
    // Longer than a name may be, so that no name server is asked.
    const std::string too_long = std::string(300, 'x') + ".invalid";
    const auto third = reactor.resolver().resolve(too_long, 80, ResolveOptions(), unknown.done());
    turn_until_called(reactor, ipv4);
    turn_until_called(reactor, any);
    turn_until_called(reactor, unknown);
    CHECK(ipv4.text() == "127.0.0.1:8000 ");
    CHECK(any.result);
    for (const Address& address : any.result.addresses) CHECK(address.port() == 8000);
    CHECK(unknown.result.failure.check<DNSLookupError>());
    CHECK(unknown.text().find("DNS lookup failed: address 'xxx") == 0);
    CHECK(unknown.text().find("not found: [Errno -") != std::string::npos);
}

LARIAT_BACKEND_TEST_CASE("R21 many names at once share a few threads, and some are cancelled in between") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    int called = 0;
    std::vector<ResolveRequest> requests;
    for (int i = 0; i < 60; ++i) {
        requests.push_back(
            reactor.resolver().resolve("localhost", 1, ResolveOptions(), [&](const ResolveResult& result) {
                CHECK(result);
                ++called;
            }));
    }
    for (std::size_t i = 0; i < requests.size(); i += 3) requests[i].cancel();
    const TimePoint end = reactor.now() + 20s;
    while (called < 40 && reactor.now() < end) reactor.iterate(100ms);
    CHECK(called == 40);
}

LARIAT_BACKEND_TEST_CASE("an answer may come from any thread, also while the reactor dies") {
    const auto names = std::make_shared<FakeNames>();
    std::optional<Reactor> reactor(std::in_place, ReactorOptions().backend(backend_kind));
    reactor->install_name_resolver(names);
    Outcome outcome;
    const auto request = reactor->resolver().resolve("a.example", 1, ResolveOptions(), outcome.done());
    std::thread answering([&] { names->answers.front()({{Address("10.0.0.1:1")}, {}}); });
    reactor.reset();
    answering.join();
    CHECK(outcome.calls == 0);
}

TEST_SUITE_END();
