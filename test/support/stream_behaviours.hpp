// SPDX-License-Identifier: MIT
// What a TcpStream does, whatever carries its bytes: test cases for a program that has declared, in the namespace
// lariat, `Task<test::StreamPair> connected()`.
#pragma once

#include <lariat/coro/lines.hpp>
#include <lariat/coro/tcp_stream.hpp>
#include <lariat/test/support/coro_world.hpp>

#include <doctest/doctest.h>

#include <string>
#include <utility>

namespace lariat {
namespace {

using namespace literals;
using test::fill;
using test::record;
using test::run_on;
using test::settle;
using test::StreamPair;

constexpr Duration soon = std::chrono::milliseconds(1);

Task<std::string> read_some(TcpStream& stream) {
    Buffer data = co_await stream.read_some();
    co_return data.str();
}
Task<std::string> read_soon(TcpStream& stream) {
    Buffer data = co_await stream.read_some().within(soon);
    co_return data.str();
}
Task<std::string> read_exactly(TcpStream& stream, std::size_t size) {
    Buffer data = co_await stream.read_exactly(size);
    co_return data.str();
}
Task<std::string> read_line(TcpStream& stream, std::size_t limit = TcpStream::default_line_limit) {
    Buffer data = co_await stream.read_until("\r\n", limit);
    co_return data.str();
}
Task<std::string> write(TcpStream& stream, std::string text) {
    co_await stream.write(text);
    co_return "written";
}
Task<std::string> close(TcpStream& stream) {
    co_await stream.close();
    co_return "closed";
}
Task<std::string> drained(TcpStream& stream) {
    co_await stream.drained();
    co_return "drained";
}
Task<std::string> outcome_of(Task<std::string> task) {
    std::string outcome;
    co_await record(outcome, std::move(task));
    co_return outcome;
}

const std::string more_than_the_queue_takes(TcpStream::high_water_mark, 'x');

Task<> echo_once() {
    StreamPair pair = co_await connected();
    CHECK(pair.a.local_address() == pair.b.peer_address());
    CHECK(pair.a.peer_address() == pair.b.local_address());
    co_await pair.a.write("hello");
    Buffer data = co_await pair.b.read_some();
    CHECK(data.text() == "hello");
    co_await pair.b.write(std::move(data));
    CHECK(co_await read_some(pair.a) == "hello");
}
LARIAT_BACKEND_TEST_CASE("what one end writes the other reads") { run_on(backend_kind, echo_once); }

Task<> end_of_stream() {
    StreamPair pair = co_await connected();
    co_await pair.a.write("last words");
    pair.a.shutdown_write();
    CHECK(co_await read_exactly(pair.b, 10) == "last words");
    CHECK(co_await read_some(pair.b) == "");
    CHECK(co_await read_some(pair.b) == "");
    co_await pair.b.write("and an answer");
    CHECK(co_await read_exactly(pair.a, 13) == "and an answer");
    CHECK(co_await outcome_of(write(pair.a, "more"))
          == "UsageError: a TcpStream was written to after shutdown_write()");
}
LARIAT_BACKEND_TEST_CASE("the end of the stream is an empty Buffer, and the other direction goes on") {
    run_on(backend_kind, end_of_stream);
}

Task<> exact_amounts() {
    StreamPair pair = co_await connected();
    co_await pair.a.write("abcdef");
    CHECK(co_await read_exactly(pair.b, 2) == "ab");
    CHECK(co_await read_exactly(pair.b, 0) == "");
    CHECK(co_await read_exactly(pair.b, 4) == "cdef");
    std::string outcome;
    const JoinHandle<> reader = spawn(record, std::ref(outcome), read_exactly(pair.b, 300'000));
    const std::string large(300'000, 'y');
    co_await pair.a.write(large);
    co_await reader;
    CHECK(outcome == large);
    co_await pair.a.write("xyz");
    pair.a.shutdown_write();
    CHECK(co_await outcome_of(read_exactly(pair.b, 4)) == "EndOfStream: the stream ended after 3 of 4 bytes");
    CHECK(co_await read_some(pair.b) == "xyz");
}
LARIAT_BACKEND_TEST_CASE("read_exactly() gives that many bytes or says how many there were") {
    run_on(backend_kind, exact_amounts);
}

Task<> until_delimiter() {
    StreamPair pair = co_await connected();
    co_await pair.a.write("one\r\ntwo\r\nthr");
    CHECK(co_await read_line(pair.b) == "one\r\n");
    CHECK(co_await read_line(pair.b) == "two\r\n");
    std::string outcome;
    JoinHandle<> reader = spawn(record, std::ref(outcome), read_line(pair.b));
    co_await pair.a.write("ee\r");  // the delimiter arrives in two pieces
    co_await pair.a.drained();
    co_await settle();
    CHECK(outcome == "nothing yet");
    co_await pair.a.write("\n");
    co_await reader;
    CHECK(outcome == "three\r\n");
    co_await pair.a.write("0123456789");
    CHECK(co_await outcome_of(read_line(pair.b, 10)) == "ProtocolViolation: no delimiter within the first 10 bytes");
    CHECK(co_await read_exactly(pair.b, 10) == "0123456789");
    co_await pair.a.write("12345678\r\n12345679\r\n");
    CHECK(co_await read_line(pair.b, 10) == "12345678\r\n");
    CHECK(co_await outcome_of(read_line(pair.b, 9)) == "ProtocolViolation: no delimiter within the first 9 bytes");
    CHECK(co_await read_line(pair.b, 10) == "12345679\r\n");
    co_await pair.a.write("cut");
    pair.a.shutdown_write();
    CHECK(co_await outcome_of(read_line(pair.b))
          == "EndOfStream: the stream ended after 3 bytes without the delimiter");
    CHECK(co_await read_some(pair.b) == "cut");
    CHECK(co_await read_line(pair.b) == "");
}
LARIAT_BACKEND_TEST_CASE("read_until() gives lines however they arrive") { run_on(backend_kind, until_delimiter); }

Task<std::string> all_lines(TcpStream& stream, std::size_t limit) {
    std::string all;
    auto each = lines(stream, limit);
    while (auto line = co_await each.next()) all.append(*line).append("|");
    co_return all;
}
Task<> line_by_line() {
    StreamPair pair = co_await connected();
    co_await pair.a.write("one\r\ntwo\n\n\rthree\r");
    pair.a.shutdown_write();
    CHECK(co_await all_lines(pair.b, 10) == "one|two||\rthree|");
    CHECK(co_await all_lines(pair.b, 10) == "");
    co_await pair.b.write("1234\n12345\n");
    CHECK(co_await outcome_of(all_lines(pair.a, 5)) == "ProtocolViolation: no delimiter within the first 5 bytes");
    CHECK(co_await read_exactly(pair.a, 6) == "12345\n");
}
LARIAT_BACKEND_TEST_CASE("lines() gives every line without its end, also the last") {
    run_on(backend_kind, line_by_line);
}

Task<> byte_by_byte() {
    StreamPair pair = co_await connected();
    std::string text;
    for (int i = 0; i < 200; ++i) text += "line " + std::to_string(i) + "\r\n";
    const JoinHandle<> writer = spawn(
        [](TcpStream& to, std::string all) -> Task<> {
            for (const char& c : all) {
                co_await to.write(Bytes(&c, 1));
                if (c != 'i') co_await to.drained();
            }
        },
        std::ref(pair.a), text);
    for (int i = 0; i < 200; ++i) CHECK(co_await read_line(pair.b) == "line " + std::to_string(i) + "\r\n");
    co_await writer;
}
LARIAT_BACKEND_TEST_CASE("read_until() does not care how a stream is cut") { run_on(backend_kind, byte_by_byte); }

// Cancellation

Task<> cancel_read() {
    StreamPair pair = co_await connected();
    std::string outcome;
    const JoinHandle<> reader = spawn(record, std::ref(outcome), read_some(pair.a));
    co_await settle();
    CHECK(outcome == "nothing yet");
    reader.cancel();
    co_await reader;
    CHECK(outcome == "Cancelled: requested");
    co_await pair.b.write("still there");
    CHECK(co_await read_some(pair.a) == "still there");
}
LARIAT_BACKEND_TEST_CASE("a read can be cancelled, and the stream is as before") { run_on(backend_kind, cancel_read); }

Task<std::string> reads_when_cancelled(TcpStream& stream) {
    std::string seen;
    try {
        co_await sleep(test::an_hour);
    } catch (const Cancelled&) {
        seen = "cancelled, ";
    }
    co_return seen + co_await read_some(stream);
}
Task<> precancelled_read() {
    StreamPair pair = co_await connected();
    co_await pair.b.write("data");
    CHECK(co_await read_exactly(pair.a, 1) == "d");  // the rest is there already
    std::string outcome;
    const JoinHandle<> reader = spawn(record, std::ref(outcome), reads_when_cancelled(pair.a));
    reader.cancel();
    co_await reader;
    CHECK(outcome == "Cancelled: requested");
    CHECK(co_await read_some(pair.a) == "ata");
}
LARIAT_BACKEND_TEST_CASE("a cancelled task does not even take bytes that are there") {
    run_on(backend_kind, precancelled_read);
}

Task<std::string> reads_twice(TcpStream& stream, std::string& first) {
    first = co_await read_some(stream);
    co_return co_await read_some(stream);
}
Task<std::string> reads_and_cancels(TcpStream& stream, const JoinHandle<>& other) {
    Buffer data = co_await stream.read_some();
    other.cancel();
    co_return data.str();
}
// Both ends become readable in one turn of the loop; the one that is resumed first cancels the other, which then has
// its data already or gets it after the cancellation was asked for.
Task<> completed_then_cancelled() {
    StreamPair one = co_await connected();
    std::string first, second;
    const JoinHandle<> reader = spawn(record, std::ref(second), reads_twice(one.a, first));
    co_await one.b.write("success");
    while (first.empty()) co_await yield();
    reader.cancel();
    co_await reader;
    CHECK(first == "success");
    CHECK(second == "Cancelled: requested");
}
LARIAT_BACKEND_TEST_CASE("a read that has data delivers it, the next one sees the cancellation") {
    run_on(backend_kind, completed_then_cancelled);
}

Task<> cancel_races_data() {
    StreamPair one = co_await connected();
    StreamPair two = co_await connected();
    std::string outcome_one, outcome_two;
    const JoinHandle<> victim = spawn(record, std::ref(outcome_one), read_some(one.a));
    const JoinHandle<> killer = spawn(record, std::ref(outcome_two), reads_and_cancels(two.a, victim));
    co_await one.b.write("bytes");
    co_await two.b.write("now");
    co_await victim;
    co_await killer;
    CHECK(outcome_two == "now");
    if (outcome_one != "bytes") {
        CHECK(outcome_one == "Cancelled: requested");
        CHECK(co_await read_some(one.a) == "bytes");  // not lost
    }
}
LARIAT_BACKEND_TEST_CASE("bytes that race a cancellation are not lost") { run_on(backend_kind, cancel_races_data); }

Task<> cancel_partial() {
    StreamPair pair = co_await connected();
    std::string outcome;
    const JoinHandle<> reader = spawn(record, std::ref(outcome), read_exactly(pair.a, 10));
    co_await pair.b.write("12345");
    co_await pair.b.drained();
    co_await settle();
    reader.cancel();
    co_await reader;
    CHECK(outcome == "Cancelled: requested");
    co_await pair.b.write("67890");
    CHECK(co_await read_exactly(pair.a, 10) == "1234567890");
}
LARIAT_BACKEND_TEST_CASE("what a cancelled read_exactly() had gathered is there for the next read") {
    run_on(backend_kind, cancel_partial);
}

// Deadlines

Task<> time_out() {
    StreamPair pair = co_await connected();
    CHECK(co_await outcome_of(read_soon(pair.a)) == "TimedOut: read_some timed out after 1 ms");
    co_await pair.b.write("late");
    CHECK(co_await read_some(pair.a) == "late");
}
LARIAT_BACKEND_TEST_CASE("within() raises TimedOut, and the stream is as before") { run_on(backend_kind, time_out); }

Task<> no_time_out() {
    StreamPair pair = co_await connected();
    co_await pair.b.write("x");
    co_await pair.b.write("y");
    CHECK((co_await pair.a.read_exactly(1)).text() == "x");
    CHECK((co_await pair.a.read_some().within(Duration::zero())).text() == "y");
    CHECK(Reactor::current()->timers().empty());
    std::string outcome;
    const JoinHandle<> reader = spawn(record, std::ref(outcome), [](TcpStream& s) -> Task<std::string> {
        Buffer data = co_await s.read_some().within(test::an_hour);
        co_return data.str();
    }(pair.a));
    CHECK(Reactor::current()->timers().size() == 1);
    co_await pair.b.write("z");
    co_await reader;
    CHECK(outcome == "z");
    CHECK(Reactor::current()->timers().empty());
}
LARIAT_KERNEL_TEST_CASE("within() arms a timer only while it waits") { run_on(backend_kind, no_time_out); }

// The loop is held up until the deadline has passed and the data has arrived: the data came first.
Task<> data_beats_deadline(Acceptor& acceptor, int& peer) {
    TcpStream stream = co_await connect(acceptor.local_address());
    while (peer < 0) co_await yield();
    std::string outcome;
    const JoinHandle<> reader = spawn(record, std::ref(outcome), read_soon(stream));
    co_await yield();  // from here on the timers come before the descriptors
    CHECK(::write(peer, "in time", 7) == 7);
    const TimePoint until = Reactor::current()->now() + 5 * soon;
    while (Reactor::current()->now() < until) {}
    co_await reader;
    CHECK(outcome == "in time");
    Reactor::current()->backend().close(peer);
}
LARIAT_KERNEL_TEST_CASE("data that arrived before the deadline was looked at wins") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    int peer = -1;
    Acceptor acceptor(reactor, [&](int fd) { peer = fd; }, [](int) {});
    REQUIRE(acceptor.listen(Address::loopback(0), {}) == 0);
    acceptor.start();
    CHECK(run(reactor, data_beats_deadline(acceptor, peer)) == 0);
}

// Writing

Task<> back_pressure() {
    StreamPair pair = co_await connected();
    co_await fill(pair.a);
    std::string outcome;
    const JoinHandle<> writer = spawn(record, std::ref(outcome), write(pair.a, more_than_the_queue_takes + "the end"));
    CHECK(co_await outcome_of([](TcpStream& s) -> Task<std::string> {
              co_await s.drained().within(soon);
              co_return "drained";
          }(pair.a))
          == "TimedOut: drained timed out after 1 ms");
    CHECK(outcome == "nothing yet");
    std::string all, last;
    while (!all.ends_with("the end")) {
        Buffer data = co_await pair.b.read_some();
        all =
            all.substr(all.size() > 7 ? all.size() - 7 : 0) + data.str().substr(data.size() > 7 ? data.size() - 7 : 0);
    }
    co_await writer;
    CHECK(outcome == "written");
}
LARIAT_BACKEND_TEST_CASE("write() waits for a peer that does not read, and nothing is lost") {
    run_on(backend_kind, back_pressure);
}

Task<> cancel_write() {
    StreamPair pair = co_await connected();
    co_await fill(pair.a);
    std::string outcome, precancelled;
    const JoinHandle<> writer =
        spawn(record, std::ref(outcome), write(pair.a, more_than_the_queue_takes + "queued all the same"));
    const JoinHandle<> refused = spawn(record, std::ref(precancelled), [](TcpStream& s) -> Task<std::string> {
        try {
            co_await sleep(test::an_hour);
        } catch (const Cancelled&) {}
        co_return co_await write(s, "never queued");
    }(pair.a));
    writer.cancel();
    refused.cancel();
    co_await writer;
    co_await refused;
    CHECK(outcome == "Cancelled: requested");
    CHECK(precancelled == "Cancelled: requested");
    pair.a.shutdown_write();
    std::string tail;
    while (Buffer data = co_await pair.b.read_some()) {
        tail += data.str();
        if (tail.size() > 100) tail.erase(0, tail.size() - 100);
    }
    CHECK(tail.ends_with("xqueued all the same"));
}
LARIAT_BACKEND_TEST_CASE("a cancelled write has queued, a write in a cancelled task queues nothing") {
    run_on(backend_kind, cancel_write);
}

Task<> slow_reader() {
    StreamPair pair = co_await connected();
    CHECK(co_await outcome_of(read_soon(pair.b)) == "TimedOut: read_some timed out after 1 ms");  // it reads ahead now
    co_await fill(pair.a);
    co_await settle();
    // What the stream holds is its own; a few buffers came after the connection had stopped to want them.
    CHECK(Reactor::current()->backend().ledger().buffers <= 4);
    std::size_t first = 0;
    {
        Buffer data = co_await pair.b.read_some();
        first = data.size();
    }
    CHECK(first >= detail::StreamCore::read_credit);
    CHECK(first < 2 * detail::StreamCore::read_credit);
}
LARIAT_BACKEND_TEST_CASE("a slow reader holds a bounded amount and no pool memory") {
    run_on(backend_kind, slow_reader);
}

Task<> small_remains() {
    StreamPair pair = co_await connected();
    co_await pair.a.write("head|tail");
    Buffer head = co_await pair.b.read_until("|");
    CHECK(head.text() == "head|");
    head.reset();
    co_await settle();
    CHECK(Reactor::current()->backend().ledger().buffers == 0);
    CHECK(co_await read_some(pair.b) == "tail");
}
LARIAT_BACKEND_TEST_CASE("remains that nobody takes are copied out of the pool") {
    run_on(backend_kind, small_remains);
}

// The end

Task<> connection_lost() {
    StreamPair pair = co_await connected();
    std::string reading;
    co_await pair.b.write("before");
    co_await pair.b.drained();
    CHECK(co_await read_exactly(pair.a, 3) == "bef");
    const JoinHandle<> reader = spawn(record, std::ref(reading), read_exactly(pair.a, 100));
    pair.b.abort();
    co_await reader;
    CHECK(reading.starts_with("ConnectionLost: "));
    CHECK(reading.ends_with("Connection reset by peer."));
    CHECK(co_await read_some(pair.a) == "ore");
    CHECK((co_await outcome_of(read_some(pair.a))).starts_with("ConnectionLost: "));
    CHECK((co_await outcome_of(write(pair.a, "x"))).starts_with("ConnectionLost: "));
    CHECK((co_await outcome_of(drained(pair.a))).starts_with("ConnectionLost: "));
    CHECK((co_await outcome_of(close(pair.a))).starts_with("ConnectionLost: "));
    CHECK((co_await outcome_of(read_some(pair.b))).starts_with("ConnectionAborted: "));
    CHECK(pair.a.peer_address() == Address());
}
LARIAT_BACKEND_TEST_CASE("a lost connection raises ConnectionLost, after what had arrived") {
    run_on(backend_kind, connection_lost);
}

Task<> lost_while_writing() {
    StreamPair pair = co_await connected();
    co_await fill(pair.a);
    std::string first, second, third;
    const JoinHandle<> a = spawn(record, std::ref(first), write(pair.a, more_than_the_queue_takes));
    const JoinHandle<> b = spawn(record, std::ref(second), drained(pair.a));
    const JoinHandle<> c = spawn(record, std::ref(third), close(pair.a));
    pair.b.abort();
    co_await a;
    co_await b;
    co_await c;
    CHECK(first.starts_with("ConnectionLost: "));
    CHECK(second.starts_with("ConnectionLost: "));
    CHECK(third.starts_with("ConnectionLost: "));
}
LARIAT_BACKEND_TEST_CASE("everybody who waits for a connection hears that it is lost") {
    run_on(backend_kind, lost_while_writing);
}

Task<> orderly_close() {
    StreamPair pair = co_await connected();
    std::string reading;
    const JoinHandle<> reader = spawn(record, std::ref(reading), read_some(pair.a));
    co_await pair.a.write("goodbye");
    co_await pair.a.close();
    co_await reader;
    CHECK(reading.starts_with("ConnectionDone: "));
    co_await pair.a.close();
    CHECK((co_await outcome_of(write(pair.a, "x"))).starts_with("ConnectionDone: "));
    CHECK(co_await read_exactly(pair.b, 7) == "goodbye");
    CHECK(co_await read_some(pair.b) == "");
}
LARIAT_BACKEND_TEST_CASE("close() sends what was written and returns when it is closed") {
    run_on(backend_kind, orderly_close);
}

Task<> cancel_close() {
    StreamPair pair = co_await connected();
    co_await fill(pair.a);
    std::string outcome;
    const JoinHandle<> closer = spawn(record, std::ref(outcome), close(pair.a));
    co_await settle();
    CHECK(outcome == "nothing yet");
    closer.cancel();
    co_await closer;
    CHECK(outcome == "Cancelled: requested");
    while (Buffer data = co_await pair.b.read_some()) {}  // it closes all the same
    co_await pair.a.close();
}
LARIAT_BACKEND_TEST_CASE("a cancelled close() goes on in the background") { run_on(backend_kind, cancel_close); }

Task<> destructor_closes() {
    StreamPair pair = co_await connected();
    co_await fill(pair.a);
    { const TcpStream gone = std::move(pair.a); }
    CHECK_FALSE(pair.a.is_valid());
    std::size_t total = 0;
    while (Buffer data = co_await pair.b.read_some()) total += data.size();
    CHECK(total % (256 * 1024) == 0);
    CHECK(total > 0);
}
LARIAT_BACKEND_TEST_CASE("a destroyed stream still sends what was written") { run_on(backend_kind, destructor_closes); }

Task<> echo(TcpStream peer) {
    while (Buffer data = co_await peer.read_some()) co_await peer.write(std::move(data));
}
Task<> no_allocations() {
    StreamPair pair = co_await connected();
    JoinHandle<> server = spawn(echo, std::move(pair.b));
    for (int i = 0; i < 100; ++i) {
        co_await pair.a.write("ping");
        CHECK(co_await read_exactly(pair.a, 4) == "ping");
        CHECK(Reactor::current()->timers().empty());
    }
    pair.a.shutdown_write();
    co_await server;
    CHECK(co_await read_some(pair.a) == "");
}
LARIAT_BACKEND_TEST_CASE("the echo of the documentation echoes and ends") { run_on(backend_kind, no_allocations); }

}  // namespace
}  // namespace lariat
