// SPDX-License-Identifier: MIT
#include <lariat/coro/deferred.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/runtime/resolver.hpp>
#include <lariat/test/support/backends.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>

using namespace lariat;

namespace {

// Answers when it is told to.
struct PatientResolver final : NameResolver {
    void look_up(const Query& query, Answer then) override {
        host = query.host;
        family = query.family;
        answer = std::move(then);
    }
    std::string host;
    Address::Family family = Address::Family::none;
    Answer answer;
};

std::string outcome;

void note(const Deferred<std::string>& address) {
    outcome = "nothing yet";
    address.add_callback([](std::string text) {
        outcome = text;
        return text;
    });
    address.add_errback([](const Failure& failure) {
        outcome = failure.type_name();
        return std::string();
    });
}

void turn_until_known(Reactor& reactor) {
    for (int turns = 0; turns < 100 && outcome == "nothing yet"; ++turns) reactor.iterate(std::chrono::milliseconds(5));
}

}  // namespace

TEST_SUITE_BEGIN("coro resolve");

LARIAT_BACKEND_TEST_CASE(
    "R21 resolve() answers literals and the empty name at once, names later with one IPv4 address") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    const auto names = std::make_shared<PatientResolver>();
    reactor.install_name_resolver(names);
    note(reactor.resolve("192.0.2.7"));
    CHECK(outcome == "192.0.2.7");
    note(reactor.resolve(""));
    CHECK(outcome == "0.0.0.0");
    note(reactor.resolve("example.org"));
    CHECK(outcome == "nothing yet");
    CHECK(names->host == "example.org");
    CHECK(names->family == Address::Family::ipv4);
    names->answer({{Address("192.0.2.1:0"), Address("192.0.2.2:0")}, {}});
    turn_until_known(reactor);
    CHECK(outcome == "192.0.2.1");
}

LARIAT_BACKEND_TEST_CASE(
    "R21 a lookup that fails is a DNSLookupError; a cancelled one is cancelled, its answer dropped") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    const auto names = std::make_shared<PatientResolver>();
    reactor.install_name_resolver(names);
    note(reactor.resolve("no.such.name"));
    names->answer({{}, Failure(DNSLookupError("no.such.name"))});
    turn_until_known(reactor);
    CHECK(outcome == "lariat::DNSLookupError");
    const Deferred<std::string> cancelled = reactor.resolve("slow.name");
    note(cancelled);
    cancelled.cancel();
    CHECK(outcome == "lariat::Cancelled");
    names->answer({{Address("192.0.2.1:0")}, {}});
    for (int turns = 0; turns < 5; ++turns) reactor.iterate();
    CHECK(outcome == "lariat::Cancelled");
}

TEST_SUITE_END();
