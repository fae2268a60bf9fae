// SPDX-License-Identifier: MIT
// Running coroutines in tests: a reactor of each backend, what became of an await as text, connected streams.
#pragma once

#include <lariat/coro/connect.hpp>
#include <lariat/coro/listener.hpp>
#include <lariat/coro/run.hpp>
#include <lariat/coro/sleep.hpp>
#include <lariat/coro/spawn.hpp>
#include <lariat/coro/task_scope.hpp>
#include <lariat/coro/tcp_stream.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/runtime/failure.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/test/support/backends.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <exception>
#include <functional>
#include <string>
#include <utility>

namespace lariat::test {

/// For what does not depend on the backend.
inline constexpr auto any_backend = io::BackendKind::epoll;

/// Longer than any test: what waits for it is to be interrupted.
inline constexpr Duration an_hour = std::chrono::hours(1);

inline Task<> keep_failure(std::exception_ptr& failure, Task<> task) {
    try {
        co_await std::move(task);
    } catch (...) {
        failure = std::current_exception();
    }
}

/// Runs `function(arguments...)` to its end on a reactor of its own, throws what it threw, and checks that nothing is
/// left open.
template <class F, class... A>
void run_on(io::BackendKind kind, F function, A... arguments) {
    std::exception_ptr failure;
    {
        Reactor reactor(ReactorOptions().backend(kind));
        CHECK(run(reactor, keep_failure(failure, function(std::move(arguments)...))) == 0);
        const io::Ledger ledger = reactor.backend().ledger();
        CHECK(ledger.operations == 0);
        CHECK(ledger.descriptors == 0);
        CHECK(ledger.buffers == 0);
    }
    if (failure) std::rethrow_exception(failure);
}

/// "nothing yet" until `task` has ended, then what it returned, or the class and text of what it threw.
inline Task<> record(std::string& outcome, Task<std::string> task) {
    outcome = "nothing yet";
    try {
        outcome = co_await std::move(task);
    } catch (const Cancelled& cancelled) {
        outcome = "Cancelled: " + std::string(to_string(cancelled.reason()));
    } catch (const std::exception& error) {
        const Failure failure = Failure::current();
        outcome = failure.type_name().substr(std::string("lariat::").size()) + ": " + error.what();
    }
}

/// Lets everything that is ready, and what it causes at once, happen.
inline Task<> settle() {
    for (int turn = 0; turn < 600; ++turn) co_await yield();  // more than a turn runs of what is ready
}

/// The two ends of a connection over loopback.
class StreamPair {
public:
    StreamPair(TcpStream ours, TcpStream theirs) noexcept : a(std::move(ours)), b(std::move(theirs)) {}

    TcpStream a;
    TcpStream b;
};

inline Task<StreamPair> connected() {
    Listener listener(Address::loopback(0));
    TcpStream a = co_await connect(listener.local_address());
    TcpStream b = co_await listener.accept();
    co_return StreamPair(std::move(a), std::move(b));
}

/// Writes until the peer, which does not read, stops taking.
inline Task<> fill(TcpStream& stream) {
    const std::string block(256 * 1024, 'x');
    bool full = false;
    while (!full) {
        try {
            co_await stream.write(block).within(std::chrono::milliseconds(20));
        } catch (const TimedOut&) {
            full = true;
        }
    }
}

}  // namespace lariat::test
