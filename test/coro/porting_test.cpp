// SPDX-License-Identifier: MIT
// The examples of docs/deferred.md, so that they compile and do what they say.
#include <lariat/coro/deferred.hpp>
#include <lariat/test/support/transcript.hpp>

#include <doctest/doctest.h>

#include <any>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace lariat {
namespace {

using test::short_type;

struct NotFound : Error {
    NotFound() : Error("not found") {}
};
struct ConnectError : Error {
    ConnectError() : Error("cannot connect") {}
};
using Page = std::string;

struct Redirect {
    explicit Redirect(std::string to) : location(std::move(to)) {}
    std::string location;
};
struct Response {
    Response(int status, std::string text, std::string to)
        : code(status), body(std::move(text)), location(std::move(to)) {}
    int code;
    std::string body;
    std::string location;
};
using Fetched = std::variant<Page, Redirect>;

Deferred<std::string> get_page(const std::string& url) {
    if (url == "missing") return fail<std::string>(NotFound());
    if (url == "broken") return fail<std::string>(ConnectError());
    return succeed("page of " + url);
}

Deferred<std::size_t> get_length(std::string url) {
    return get_page(url)
        .add_callback([](const std::string& page) { return page.size(); })
        .add_errback([](const Failure& f) { return f.trap<NotFound>(), std::size_t(0); });
}

TEST_CASE("D01 D02 D27 a chain that changes its type, and an errback that traps") {
    std::size_t length = 99;
    get_length("x").add_callback([&](std::size_t n) { return length = n; });
    CHECK(length == 9);
    get_length("missing").add_callback([&](std::size_t n) { return length = n; });
    CHECK(length == 0);
    std::string failed;
    get_length("broken").add_errback([&](const Failure& f) { return failed = short_type(f), std::size_t(0); });
    CHECK(failed == "ConnectError");
}

Deferred<Response> request(const std::string& url) {
    return succeed(url == "old" ? Response(301, "", "new") : Response(200, "body of " + url, ""));
}
Deferred<Page> follow(const Redirect& redirect) { return get_page(redirect.location); }

Deferred<Fetched> fetch(std::string url) {
    return request(url).add_callback(
        [](Response r) -> Fetched { return r.code == 200 ? Fetched(r.body) : Fetched(Redirect(r.location)); });
}
Deferred<Page> fetch_page(std::string url) {
    return fetch(std::move(url)).add_callback([](Fetched r) -> Deferred<Page> {
        if (auto* redirect = std::get_if<Redirect>(&r)) return follow(*redirect);
        return succeed(std::get<Page>(std::move(r)));
    });
}

TEST_CASE("D02 D06 one of several types is a variant; a value or a Deferred is a Deferred") {
    Page got;
    fetch_page("here").add_callback([&](Page page) { return got = std::move(page); });
    CHECK(got == "body of here");
    fetch_page("old").add_callback([&](Page page) { return got = std::move(page); });
    CHECK(got == "page of new");
}

Deferred<std::optional<std::string>> look_up(const std::string& key) {
    return succeed(key == "known" ? std::optional<std::string>("value") : std::nullopt);
}
Deferred<std::any> service(const std::string& name) {
    return succeed(name == "number" ? std::any(5) : std::any(std::string("text")));
}

TEST_CASE("D02 a str or None is an optional; what only the caller knows is an any") {
    bool found = true;
    look_up("unknown").add_callback([&](std::optional<std::string> value) {
        found = value.has_value();
        return value;
    });
    CHECK_FALSE(found);
    int got = 0;
    std::string failed;
    service("number")
        .add_callback([](const std::any& object) { return std::any_cast<int>(object); })
        .add_callback([&](int x) { return got = x; });
    service("other")
        .add_callback([](const std::any& object) { return std::any_cast<int>(object); })
        .add_errback([&](const Failure& f) { return failed = short_type(f), 0; });
    CHECK(got == 5);
    CHECK(failed == "bad_any_cast");
}

Deferred<std::string> get_poem(const std::string& host) {
    if (host == "nowhere") return fail<std::string>(ConnectError());
    return succeed(std::string("roses"));
}
Deferred<std::size_t> poem_length(std::string host) {
    try {
        const std::string poem = co_await get_poem(host);
        co_return poem.size();
    } catch (const ConnectError&) {
        co_return 0;
    }
}

TEST_CASE("I01 I03 a coroutine that catches") {
    std::size_t length = 99;
    poem_length("here").add_callback([&](std::size_t n) { return length = n; });
    CHECK(length == 5);
    poem_length("nowhere").add_callback([&](std::size_t n) { return length = n; });
    CHECK(length == 0);
}

}  // namespace
}  // namespace lariat
