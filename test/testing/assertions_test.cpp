// SPDX-License-Identifier: MIT
#include <lariat/testing/assertions.hpp>

#include <lariat/proto/datagram_protocol.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/testing/logs.hpp>
#include <lariat/testing/mktemp.hpp>
#include <lariat/testing/patch.hpp>
#include <lariat/testing/protocols.hpp>
#include <lariat/testing/pump.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

namespace lariat {
namespace {

using testing::assert_failure;
using testing::assert_no_result;
using testing::AssertionFailed;
using testing::failure_result_of;
using testing::LoggedErrors;
using testing::success_result_of;

template <class F>
std::string text_of(F f) {
    try {
        f();
    } catch (const AssertionFailed& error) {
        return error.what();
    }
    return "nothing was thrown";
}
bool has(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

TEST_CASE("V04 success_result_of() gives the value, once, and says what it found instead") {
    CHECK(success_result_of(succeed(std::string("text"))) == "text");
    success_result_of(succeed());
    const Deferred<std::unique_ptr<int>> moved;
    moved.callback(std::make_unique<int>(5));
    CHECK(*success_result_of(moved) == 5);

    Deferred<int> pending;
    CHECK(has(text_of([&] { success_result_of(pending); }), "found no result instead"));
    pending.callback(3);  // the look has added nothing to it
    CHECK(success_result_of(pending) == 3);

    LoggedErrors errors;
    const std::string text = text_of([&] { success_result_of(fail<int>(ConnectionDone())); });
    CHECK(has(text, "Success result expected on <Deferred at "));
    CHECK(has(text, "found failure result instead:\n"));
    CHECK(has(text, "lariat::ConnectionDone"));
    CHECK(errors.count() == 0);
}

TEST_CASE("V04 failure_result_of() gives the failure, which counts as handled, if it is one of those expected") {
    LoggedErrors errors;
    CHECK(failure_result_of(fail<int>(ConnectionDone())).check<ConnectionDone>());
    CHECK(failure_result_of<UserError, ConnectionDone>(fail(ConnectionDone())).check<ConnectionDone>());
    CHECK(failure_result_of<Error>(fail(ConnectionDone())).check<ConnectionDone>());
    const std::string wrong = text_of([] { failure_result_of<UserError, ConnectionLost>(fail(ConnectionDone())); });
    CHECK(has(wrong, "Failure of type lariat::UserError or lariat::ConnectionLost expected"));
    CHECK(has(wrong, "found type lariat::ConnectionDone instead"));
    CHECK(has(text_of([] { failure_result_of(succeed(1)); }), "found success result instead"));
    CHECK(has(text_of([] { failure_result_of(Deferred<int>()); }), "found no result instead"));
    CHECK(errors.count() == 0);
}

TEST_CASE("V04 assert_no_result() leaves a Deferred as it is") {
    Deferred<int> pending;
    assert_no_result(pending);
    pending.callback(1);
    CHECK(has(text_of([&] { assert_no_result(pending); }), "No result expected on <Deferred at "));
    CHECK(success_result_of(pending) == 1);

    const Deferred<int> inner;
    const Deferred<int> waiting = succeed(1).add_callback([inner](int) { return inner; });
    CHECK(waiting.called());
    assert_no_result(waiting);
    inner.callback(2);
    CHECK(success_result_of(waiting) == 2);

    LoggedErrors errors;
    CHECK(has(text_of([] { assert_no_result(fail(ConnectionDone())); }), "lariat::ConnectionDone"));
    CHECK(errors.count() == 0);
}

TEST_CASE("V04 assert_failure() gives the exception, and fails when there is none or another one") {
    Deferred<int> pending;
    const Deferred<ConnectionDone> expected = assert_failure<ConnectionDone>(pending);
    assert_no_result(expected);
    pending.errback(ConnectionDone());
    CHECK(std::string(success_result_of(expected).what()) == ConnectionDone().what());

    const auto none = failure_result_of<AssertionFailed>(assert_failure<ConnectionDone>(succeed(1)));
    CHECK(none.error_message() == "lariat::ConnectionDone not raised, found success result instead");
    const auto other = failure_result_of<AssertionFailed>(assert_failure<ConnectionDone>(fail(UserError())));
    CHECK(has(other.error_message(), "Failure of type lariat::ConnectionDone expected, found type lariat::UserError"));
}

TEST_CASE("V04 patch() puts the value of before back") {
    std::string name = "before";
    {
        const auto patched = testing::patch(name, "during");
        CHECK(name == "during");
    }
    CHECK(name == "before");
    auto patched = testing::patch(name, "during");
    patched.restore();
    name = "after";
    patched.restore();
    CHECK(name == "after");
}

TEST_CASE("V04 mktemp() gives another place each time, where nothing is") {
    const std::string one = testing::mktemp(), other = testing::mktemp();
    CHECK(one != other);
    CHECK_FALSE(std::filesystem::exists(one));
    std::ofstream(one) << "text";
    CHECK(std::filesystem::file_size(one) == 4);
}

TEST_CASE("V03 V05 LoggedErrors keeps errors until they are flushed, and hands on what is none") {
    CapturedLogs outer;
    LoggedErrors errors;
    log(LogLevel::warn, "test", "a warning");
    log(LogLevel::error, "test", "an error without an exception");
    static_cast<void>(fail(ConnectionDone()));
    CHECK(outer.count("a warning") == 1);
    CHECK(outer.events().size() == 1);
    CHECK(errors.count() == 2);
    CHECK(errors.flush<UserError>().empty());
    const auto flushed = errors.flush<UserError, ConnectionDone>();
    REQUIRE(flushed.size() == 1);
    CHECK(has(flushed.front().text, "Unhandled error in Deferred"));
    CHECK(errors.flush().front().text == "an error without an exception");
    CHECK(errors.count() == 0);
}

TEST_CASE("V11 an EventLoggingObserver keeps every event with its exception") {
    testing::EventLoggingObserver observer;
    log(LogLevel::info, "test", "hello");
    static_cast<void>(fail(UserError()));
    REQUIRE(observer.events().size() == 2);
    CHECK(observer.events()[0].level == LogLevel::info);
    CHECK(Failure(observer.events()[1].error).check<UserError>());
}

TEST_CASE("V11 an AccumulatingProtocol says when it is made, what came, and when it is closed") {
    const auto factory = std::make_shared<testing::AccumulatingFactory>();
    const auto protocol = factory->build_protocol(Address("10.0.0.2:1"));
    CHECK(factory->peer == Address("10.0.0.2:1"));
    assert_no_result(factory->protocol_connection_made);
    auto pair = testing::connected_server_and_client(protocol, std::make_shared<testing::AccumulatingProtocol>());
    CHECK(success_result_of(factory->protocol_connection_made) == protocol);
    pair.client->transport().write("abc");
    pair.pump.flush();
    CHECK(factory->protocol->data == "abc");
    assert_no_result(factory->protocol->closed_deferred);

    const Deferred<> all = testing::wait_until_all_disconnected(pair.pump.clock(), {pair.server, pair.client});
    pair.pump.advance(1s);
    assert_no_result(all);
    pair.client->transport().lose_connection();
    pair.pump.flush();
    pair.pump.advance(1s);
    success_result_of(all);
    success_result_of(factory->protocol->closed_deferred);
    CHECK(factory->protocol->closed);

    const Deferred<> cancelled = testing::wait_until_all_disconnected(pair.pump.clock(), {pair.server});
    success_result_of(cancelled);
    CHECK(pair.pump.clock().delayed_calls().empty());
}

TEST_CASE("V11 a wait for disconnection that is cancelled looks no more") {
    auto pair = testing::connected_server_and_client(std::make_shared<Protocol>(), std::make_shared<Protocol>());
    const Deferred<> waiting = testing::wait_until_all_disconnected(pair.pump.clock(), {pair.server});
    CHECK(pair.pump.clock().delayed_calls().size() == 1);
    waiting.cancel();
    failure_result_of<Cancelled>(waiting);
    CHECK(pair.pump.clock().delayed_calls().empty());
}

/// Looks for others in a group, and talks to the first that answers.
struct Finder : DatagramProtocol {
    void start_protocol() override {
        transport().join_group("239.1.1.1").add_callback([this] {
            transport().set_ttl(2);
            transport().write_sequence({"any", "body?"}, Address("239.1.1.1:9"));
        });
    }
    void datagram_received(Bytes, const Address& from) override {
        transport().connect(from.host(), from.port());
        transport().write("you");
    }
    void connection_refused() override { transport().lose_connection(); }
};

TEST_CASE("V11 a FakeDatagramTransport keeps what was sent and where to, and what else was asked for") {
    testing::FakeDatagramTransport transport;
    Finder finder;
    finder.set_noisy(false);
    finder.make_connection(transport);
    using Written = std::vector<std::pair<std::string, Address>>;
    CHECK((transport.written == Written{{"anybody?", "239.1.1.1:9"}}));
    CHECK(transport.groups.size() == 1);
    CHECK(transport.ttl() == 2);
    finder.datagram_received("me", "10.0.0.9:9");
    CHECK(transport.peer().str() == "10.0.0.9:9");
    CHECK((transport.written.back() == Written::value_type{"you", Address()}));
    CHECK_THROWS_AS(transport.connect("10.0.0.8", 9), UsageError);
    finder.connection_refused();
    CHECK(transport.stopped);
    failure_result_of<MulticastJoinError>(transport.join_group("239.1.1.1"));
    success_result_of(transport.leave_group("239.1.1.1"));
    failure_result_of<MulticastJoinError>(transport.leave_group("239.1.1.1"));
    CHECK(transport.groups.empty());
    CHECK(transport.set_host("[::1]:2").host().str() == "[::1]:2");
}

TEST_CASE("U04 a DatagramTransport takes IP literals and <broadcast> in place of an address, and no names") {
    testing::FakeDatagramTransport transport;
    transport.write("one", "::1", 7);
    transport.write("all", "<broadcast>", 7);
    CHECK(transport.written.front().second.str() == "[::1]:7");
    CHECK(transport.written.back().second.str() == "255.255.255.255:7");
    CHECK_THROWS_AS(transport.write("none", "localhost", 7), InvalidAddressError);
    CHECK_THROWS_AS(transport.connect("localhost", 7), InvalidAddressError);
}

}  // namespace
}  // namespace lariat
