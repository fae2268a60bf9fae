// SPDX-License-Identifier: MIT
#include <lariat/runtime/failure.hpp>

#include <lariat/runtime/connection_error.hpp>
#include <lariat/test/support/transcript.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <stdexcept>
#include <thread>

namespace lariat {
namespace {

using test::KeyError;
using test::ValueError;

struct Left {
    virtual ~Left() = default;
    int left = 1;
};
struct Right {
    virtual ~Right() = default;
    int right = 2;
};
struct Both : Left, Right {};

TEST_CASE("D27 check matches the class and its bases, value gives the object") {
    const Failure failure = ConnectionRefused(ECONNREFUSED, "no");
    CHECK(failure.check<ConnectionRefused>());
    CHECK(failure.check<ConnectError>());
    CHECK(failure.check<KeyError, Error>());
    CHECK(failure.check<std::exception>());
    CHECK_FALSE(failure.check<KeyError>());
    CHECK_FALSE(failure.check<NoRouteError, ConnectionClosed>());
    REQUIRE(failure.value<Error>() != nullptr);
    CHECK(failure.value<Error>()->os_error() == ECONNREFUSED);
    CHECK(failure.type_name() == "lariat::ConnectionRefused");
}

TEST_CASE("D27 value finds the right part of an object with several bases") {
    const Failure failure = Failure::of(Both());
    REQUIRE(failure.value<Right>() != nullptr);
    CHECK(failure.value<Right>()->right == 2);
    CHECK(failure.value<Left>()->left == 1);
}

TEST_CASE("D27 trap tells which class matched, and throws the original otherwise") {
    const Failure failure = KeyError("k");
    CHECK(failure.trap<ValueError, KeyError>() == 1);
    CHECK(failure.trap<std::exception>() == 0);
    CHECK_THROWS_AS(failure.trap<ValueError>(), KeyError);
    CHECK_THROWS_AS(failure.raise(), KeyError);
}

TEST_CASE("D27 a Failure of any value, a Failure of a Failure") {
    const Failure five = Failure::of(5);
    CHECK(five.check<int>());
    CHECK_FALSE(five.check<long>());
    CHECK(*five.value<int>() == 5);
    CHECK(five.error_message() == "5");
    CHECK(Failure::of(std::string("text")).error_message() == "text");
    CHECK(Failure::of("literal").error_message() == "literal");
    const Failure same = Failure::of(five);
    CHECK(same.value<int>() == five.value<int>());
}

TEST_CASE("D27 the current exception, and the lack of one") {
    CHECK_THROWS_AS((void)Failure::current(), NoCurrentExceptionError);
    try {
        throw KeyError("k");
    } catch (...) {
        CHECK(Failure::current().check<KeyError>());
    }
}

TEST_CASE("D27 an exception caught by its base keeps its type") {
    Failure failure;
    try {
        throw ConnectionRefused(111, "x");
    } catch (const std::exception& error) {
        failure = Failure(error);
    }
    CHECK(failure.check<ConnectionRefused>());
}

TEST_CASE("D27 an empty Failure is none") {
    const Failure none;
    CHECK_FALSE(none);
    CHECK_FALSE(none.check<std::exception>());
    CHECK(none.exception() == nullptr);
    CHECK(none.traceback() == "Traceback (most recent call last):\nno failure: no failure");
}

TEST_CASE("D27 I09 a traceback names the origin and every place passed, outermost first") {
    Failure failure(KeyError("k"), std::source_location());
    failure.add_frame("inner.cpp", 10, "int inner()");
    const Failure before = failure;
    failure.add_frame("outer.cpp", 20);
    CHECK(failure.traceback()
          == "Traceback (most recent call last):\n  outer.cpp:20\n  inner.cpp:10, in int inner()\n"
             "lariat::test::KeyError: k");
    CHECK(before.traceback()
          == "Traceback (most recent call last):\n  inner.cpp:10, in int inner()\n"
             "lariat::test::KeyError: k");
    CHECK(failure.brief_traceback()
          == "Traceback: lariat::test::KeyError: k\nouter.cpp:20:\ninner.cpp:10:int inner()\n");
    const Failure here = KeyError("k");
    CHECK(here.traceback().find("failure_test.cpp:" + std::to_string(__LINE__ - 1)) != std::string::npos);
}

TEST_CASE("D27 a failure that passed 100000 places is printed and destroyed without trouble") {
    Failure failure(KeyError("k"), std::source_location());
    for (int i = 0; i < 100'000; ++i) failure.add_frame("deep.cpp", 1);
    const std::string text = failure.traceback();
    CHECK(text.size() < 10'000);
    CHECK(text.find("99936 more") != std::string::npos);
}

TEST_CASE("D27 failures may be used by several threads") {
    const Failure failure = KeyError("k");
    std::thread other([copy = failure]() mutable {
        for (int i = 0; i < 1000; ++i) {
            Failure mine = copy;
            mine.add_frame("thread.cpp", 1);
            copy = mine;
        }
    });
    for (int i = 0; i < 1000; ++i) CHECK(Failure(failure).check<KeyError>());
    other.join();
}

TEST_CASE("D27 from an errno") {
    const Failure failure = Failure::from_errno(EACCES, "bind 127.0.0.1:80");
    CHECK(failure.error_message() == "bind 127.0.0.1:80: Permission denied");
    CHECK(failure.value<Error>()->os_error() == EACCES);
}

TEST_CASE("F12 the texts of the error classes are Twisted's") {
    CHECK(std::string(ConnectionDone().what()) == "Connection was closed cleanly.");
    CHECK(std::string(ConnectionDone("a b").what()) == "Connection was closed cleanly: a b.");
    CHECK(std::string(ConnectionLost().what()) == "Connection to the other side was lost in a non-clean fashion.");
    CHECK(std::string(ConnectionLost::from_errno(ECONNRESET).what())
          == "Connection to the other side was lost in a non-clean fashion: Connection reset by peer.");
    CHECK(std::string(ConnectionAborted().what())
          == "Connection was aborted locally using ITCPTransport.abortConnection.");
    CHECK(std::string(ConnectionFdescWentAway().what()) == "Uh.");
    CHECK(std::string(ConnectError().what()) == "An error occurred while connecting.");
    CHECK(std::string(ConnectError(5).what()) == "An error occurred while connecting: 5.");
    CHECK(std::string(ConnectError(0, "hi").what()) == "An error occurred while connecting: hi.");
    CHECK(std::string(ConnectError(5, "hi").what()) == "An error occurred while connecting: 5: hi.");
    CHECK(std::string(ConnectBindError().what()) == "Couldn't bind.");
    CHECK(std::string(UnknownHostError().what()) == "Hostname couldn't be looked up.");
    CHECK(std::string(DNSLookupError("no.such.host").what()) == "DNS lookup failed: no.such.host.");
    CHECK(std::string(NoRouteError().what()) == "No route to host.");
    CHECK(std::string(TcpTimedOutError().what()) == "TCP connection timed out.");
    CHECK(std::string(BadFileError().what()) == "File used for UNIX socket is no good.");
    CHECK(std::string(ServiceNameUnknownError().what()) == "Service name given as port is unknown.");
    CHECK(std::string(UserError().what()) == "User aborted connection.");
    CHECK(std::string(TimeoutError().what()) == "User timeout caused connection failure.");
    CHECK(std::string(CannotListenError("", 80, EADDRINUSE).what())
          == "Couldn't listen on any:80: [Errno 98] Address already in use.");
    CHECK(std::string(CannotListenError("::1", 80, EACCES).what())
          == "Couldn't listen on ::1:80: [Errno 13] Permission denied.");
    CHECK(std::string(NotConnectingError().what())
          == "The Connector was not connecting when it was asked to stop connecting.");
    CHECK(std::string(TimedOut(2s, "read").what()) == "read timed out after 2 s");
    CHECK(std::string(TimedOut(1500ms, "").what()) == "operation timed out after 1500 ms");
}

TEST_CASE("F12 who derives from whom") {
    static_assert(std::is_base_of_v<ConnectionClosed, ConnectionDone>);
    static_assert(std::is_base_of_v<ConnectionClosed, ConnectionLost>);
    static_assert(std::is_base_of_v<ConnectionLost, ConnectionAborted>);
    static_assert(std::is_base_of_v<ConnectionLost, ConnectionFdescWentAway>);
    static_assert(std::is_base_of_v<ConnectError, UserError>);
    static_assert(std::is_base_of_v<UserError, TimeoutError>);
    static_assert(!std::is_base_of_v<ConnectionLost, ConnectionDone>);
    static_assert(std::is_base_of_v<Error, TimedOut> && std::is_base_of_v<Error, CannotListenError>);
    CHECK(true);
}

TEST_CASE("C06 errno values become the classes that porters catch") {
    CHECK(connect_error_from(ECONNREFUSED).check<ConnectionRefusedError>());
    CHECK(connect_error_from(ECONNREFUSED).error_message()
          == "Connection was refused by other side: 111: Connection refused.");
    CHECK(connect_error_from(ENETUNREACH).check<NoRouteError>());
    CHECK(connect_error_from(ETIMEDOUT).check<TcpTimedOutError>());
    const Failure other = connect_error_from(EHOSTUNREACH);
    CHECK(other.type_name() == "lariat::ConnectError");
    CHECK(other.value<ConnectError>()->os_error() == EHOSTUNREACH);
}

}  // namespace
}  // namespace lariat
