// SPDX-License-Identifier: MIT
// UdpSocket where there is no room to send: storms of EAGAIN, and a simulated line that is slow.
#include <lariat/io/base/log.hpp>
#include <lariat/test/support/faults.hpp>
#include <lariat/test/support/sim_network.hpp>
#include <lariat/test/support/udp.hpp>
#include <lariat/test/support/verbs.hpp>

#include <doctest/doctest.h>

#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace lariat {
namespace {

using namespace literals;
using namespace test;

Task<> many_exchanges() {
    UdpSocket a(loopback), b(loopback);
    for (int i = 0; i < 100; ++i) {
        const std::string text = std::to_string(i);
        co_await a.send_to(text, b.local_address());
        const Datagram question = co_await b.receive_from();
        CHECK(question.data.text() == text);
        co_await b.send_to(question.data, question.from);
        CHECK(co_await receive_text(a) == text);
    }
}
LARIAT_BACKEND_TEST_CASE("datagrams survive what a kernel may do on a bad day") {
    auto backend = faulty(backend_kind, io::FaultPlan(3).disturb(200));
    const io::FaultBackend& faults = *backend;
    Reactor reactor(std::move(backend));
    std::exception_ptr failure;
    CHECK(run(reactor, keep_failure(failure, many_exchanges())) == 0);
    CHECK(faults.counts()[io::Fault::again_storm] > 10);
    CHECK(faults.ledger().descriptors == 0);
    if (failure) std::rethrow_exception(failure);
}

Task<std::string> send_in_the_end(UdpSocket& socket, std::string text, Address to) {
    for (;;) {
        try {
            co_await socket.send_to(text, to);
            co_return "sent";
        } catch (const Error& error) {
            CHECK(error.what() == "send to " + to.str() + ": Cannot allocate memory");
        }
    }
}
Task<> exchange_without_memory() {
    UdpSocket a(loopback), b(loopback);
    for (int i = 0; i < 30; ++i) {
        const std::string text = std::to_string(i);
        CHECK(co_await send_in_the_end(a, text, b.local_address()) == "sent");
        CHECK(co_await receive_text(b) == text);
    }
}
TEST_CASE("sim: without memory sending throws, and receiving is logged and goes on") {
    const CapturedLogs logs;
    auto backend = faulty(io::BackendKind::sim, io::FaultPlan(1).rate(io::Fault::failed_transfer, 300));
    Reactor reactor(std::move(backend));
    std::exception_ptr failure;
    CHECK(run(reactor, keep_failure(failure, exchange_without_memory())) == 0);
    CHECK(logs.count("could not receive a datagram: Cannot allocate memory") > 0);
    if (failure) std::rethrow_exception(failure);
}

// A client whose line takes 1000 bytes a second, and where four datagrams of 1000 bytes wait for it.
class SlowLine : public TwoHosts {
public:
    SlowLine() {
        client.socket_buffers(4096);
        world.one_way(client, server, sim::LinkOptions().latency(latency).jitter(Duration::zero()).bandwidth(1000));
    }
};
const Address sink("10.0.0.1:7");
const std::string block(1000, 'x');

Task<> fill(UdpSocket& socket) {
    for (bool full = false; !full;) {
        const std::string outcome = co_await ending_of([](UdpSocket& socket_) -> Task<std::string> {
            co_await socket_.send_to(block, sink).within(1ms);
            co_return "sent";
        }(socket));
        full = outcome == "TimedOut: send_to timed out after 1 ms";
        CHECK((full || outcome == "sent"));
    }
}

Task<> receive_texts(std::vector<std::string>& texts) {
    UdpSocket socket(sink);
    for (;;) {
        std::string text = co_await receive_text(socket);
        if (text != block) texts.push_back(std::move(text));
    }
}

Task<std::string> two_senders() {
    UdpSocket socket("10.0.0.2:0");
    co_await fill(socket);
    std::string one, two, three;
    const JoinHandle<> first = spawn(record, std::ref(one), send_text_to(socket, "one", sink));
    const JoinHandle<> second = spawn(record, std::ref(two), send_text_to(socket, "two", sink));
    const JoinHandle<> third = spawn(record, std::ref(three), send_text_to(socket, "three", sink));
    co_await settle();
    CHECK(one == "nothing yet");
    CHECK(two == "nothing yet");
    CHECK(three == "nothing yet");
    second.cancel();
    co_await second;
    CHECK(two == "Cancelled: requested");
    co_await first;
    co_await third;
    CHECK(one == "sent");
    co_return three;
}
TEST_CASE("sim: several coroutines wait for room, and who is cancelled has sent nothing") {
    SlowLine hosts;
    std::vector<std::string> texts;
    hosts.server.start("receive", [&] { return run(receive_texts(texts)); });
    CHECK(hosts.ask(two_senders) == "sent");
    hosts.world.run_until([&] { return texts.size() >= 2; });
    CHECK(texts == std::vector<std::string>{"one", "three"});
}

Task<std::string> close_under_sender() {
    UdpSocket socket("10.0.0.2:0");
    co_await fill(socket);
    std::string outcome;
    const JoinHandle<> sender = spawn(record, std::ref(outcome), send_text_to(socket, "never", sink));
    co_await settle();
    socket.close();
    CHECK(outcome == "nothing yet");
    co_await sender;
    co_return outcome;
}
TEST_CASE("sim: close() ends a send that waits for room") {
    SlowLine hosts;
    CHECK(hosts.ask(close_under_sender) == "SocketClosed: the socket is closed");
    CHECK(hosts.seconds() < 0.1);
}

class SendToVerb final : public Verb {
    const char* name() const override { return "send_to"; }
    Task<> prepare() override {
        socket_.emplace("10.0.0.2:0");
        co_await fill(*socket_);
    }
    Task<> dispose() override {
        socket_.reset();
        co_return;
    }
    [[nodiscard]] bool travels() const override { return true; }
    Task<> wait() override { co_await socket_->send_to(block, sink); }
    void complete() override {}  // there is room when some seconds have passed

    std::optional<UdpSocket> socket_;
};
Task<std::string> checked(Task<> (*check)(Verb&)) {
    SendToVerb verb;
    co_await check_prepared(verb, check);
    co_return "checked";
}
TEST_CASE("sim: send_to() obeys the rules of cancellation that hold for every verb") {
    for (const auto check : {check_precancelled, check_cancelled_in_flight, check_completed_then_cancelled,
                             check_timeout_races, check_timeout_wins, check_scope_exit}) {
        SlowLine hosts;
        CHECK(hosts.ask(checked, check) == "checked");
    }
}

}  // namespace
}  // namespace lariat
