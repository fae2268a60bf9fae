// SPDX-License-Identifier: MIT
// ReconnectingClientFactory: its waits are read from the reactor's pending calls, and made to come at once by moving
// them.
#include "scripted.hpp"
#include <lariat/io/base/log.hpp>

#include <cmath>

namespace lariat::test {
namespace {

class Persistent final : public ReconnectingClientFactory {
public:
    explicit Persistent(Events& events) : events_(events) { set_noisy(false); }

    ProtocolPtr build_protocol(const Address&) override {
        return last = std::make_shared<Scripted>(events_, "client", Script());
    }
    void client_connection_failed(Connector& connector, const Failure& reason) override {
        events_.emplace_back("failed");
        ReconnectingClientFactory::client_connection_failed(connector, reason);
    }
    std::shared_ptr<Scripted> last;

private:
    Events& events_;
};

double in_seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

/// The wait that is pending, which then ends at once; 0 when there is none.
double wait_and_skip(Loop& loop) {
    for (DelayedCall& call : loop.reactor.delayed_calls()) {
        const double wait = in_seconds(call.time() - loop.reactor.now());
        call.reset(Duration::zero());
        return wait;
    }
    return 0;
}

/// A listening port that refuses by having been closed.
std::uint16_t refused_port(Loop& loop) {
    auto port = loop.listen(factory_for<Protocol>());
    const std::uint16_t number = port->host().port();
    bool closed = false;
    port->stop_listening().add_callback([&] { closed = true; });
    loop.until([&] { return closed; });
    return number;
}

LARIAT_BACKEND_TEST_CASE("C16 the numbers are Twisted's, and the factor applies before the first wait") {
    Loop loop(backend_kind);
    auto factory = std::make_shared<Persistent>(loop.events);
    CHECK(factory->initial_delay() == std::chrono::seconds(1));
    CHECK(factory->factor() == 2.7182818284590451);
    CHECK(factory->jitter() == 0.119626565582);
    CHECK(factory->max_delay() == std::chrono::hours(1));
    CHECK(!factory->max_retries());
    factory->set_jitter(0);
    auto connector = loop.reactor.connect_tcp("127.0.0.1", refused_port(loop), factory, ConnectOptions().no_timeout());
    double expected = 1;
    for (unsigned attempt = 1; attempt <= 10; ++attempt) {
        loop.until([&] { return loop.events.size() == attempt; });
        expected = std::min(expected * 2.7182818284590451, 3600.0);
        CHECK(in_seconds(factory->delay()) == doctest::Approx(expected));
        CHECK(factory->retries() == attempt);
        const double wait = wait_and_skip(loop);
        CHECK(wait <= expected + 0.001);
        CHECK(wait > expected - 30);  // less what this turn has taken
    }
    factory->stop_trying();
}

LARIAT_BACKEND_TEST_CASE("C16 jitter spreads the waits normally around the value, and is kept in it") {
    Loop loop(backend_kind);
    auto connector = Connector::create(loop.reactor, Destination{"127.0.0.1", 1}, factory_for<Protocol>(), {});
    double sum = 0, squares = 0;
    constexpr int samples = 2000;
    bool always_kept = true;
    for (int i = 0; i < samples; ++i) {
        Persistent factory(loop.events);
        factory.set_factor(1);
        factory.set_initial_delay(std::chrono::seconds(100));
        factory.retry(*connector);
        const double delay = in_seconds(factory.delay());
        sum += delay;
        squares += (delay - 100) * (delay - 100);
        std::vector<DelayedCall> calls = loop.reactor.delayed_calls();
        always_kept = always_kept && calls.size() == 1;
        factory.stop_trying();
    }
    // Five standard errors: this fails for a correct generator once in two million runs.
    CHECK(always_kept);
    CHECK(std::abs(sum / samples - 100) < 5 * 11.96 / std::sqrt(samples));
    CHECK(std::abs(std::sqrt(squares / samples) - 11.96) < 5 * 11.96 / std::sqrt(2 * samples));
}

LARIAT_BACKEND_TEST_CASE("C16 a lost connection is made again") {
    Loop loop(backend_kind);
    auto port = loop.listen(factory_for<Protocol>());
    auto factory = std::make_shared<Persistent>(loop.events);
    loop.connect(*port, factory, ConnectOptions().no_timeout());
    loop.until([&] { return loop.events.size() == 1; });
    factory->last->transport().lose_connection();
    loop.until([&] { return loop.events.size() == 2; });
    loop.settle();
    CHECK(loop.events.size() == 2);  // it waits
    CHECK(wait_and_skip(loop) > 0);
    loop.until([&] { return loop.events.size() == 3; });
    CHECK(loop.events == Events{"client made", "client lost ConnectionDone", "client made"});
    factory->stop_trying();
}

LARIAT_BACKEND_TEST_CASE("C17 reset_delay is up to the user: the delay grows on until it is called") {
    Loop loop(backend_kind);
    auto port = loop.listen(factory_for<Protocol>());
    auto factory = std::make_shared<Persistent>(loop.events);
    factory->set_jitter(0);
    loop.connect(*port, factory, ConnectOptions().no_timeout());
    for (int round = 1; round <= 2; ++round) {
        loop.until([&] { return loop.last() == "client made"; });
        factory->last->transport().abort_connection();
        loop.until([&] { return loop.last() != "client made"; });
        CHECK(in_seconds(factory->delay()) == doctest::Approx(std::pow(2.7182818284590451, round)));
        wait_and_skip(loop);
        loop.until([&] { return loop.last() == "client made"; });
    }
    CHECK(factory->retries() == 2);
    factory->reset_delay();
    CHECK(factory->retries() == 0);
    CHECK(factory->delay() == std::chrono::seconds(1));
    factory->stop_trying();
    CHECK(!factory->continue_trying());
    factory->reset_delay();
    CHECK(factory->continue_trying());
    factory->stop_trying();
}

LARIAT_BACKEND_TEST_CASE("C17 stop_trying takes a pending retry back") {
    Loop loop(backend_kind);
    auto factory = std::make_shared<Persistent>(loop.events);
    loop.reactor.connect_tcp("127.0.0.1", refused_port(loop), factory, ConnectOptions().no_timeout());
    loop.until([&] { return loop.events.size() == 1; });
    CHECK(loop.reactor.delayed_calls().size() == 1);
    factory->stop_trying();
    CHECK(loop.reactor.delayed_calls().empty());
    factory->stop_trying();
}

LARIAT_BACKEND_TEST_CASE("C17 stop_trying stops an attempt that is under way, and a connected one stays") {
    Loop loop(backend_kind);
    auto port = loop.listen(factory_for<Protocol>());
    auto factory = std::make_shared<Persistent>(loop.events);
    auto connector = loop.connect(*port, factory, ConnectOptions().no_timeout());
    loop.until([&] { return loop.events.size() == 1; });
    factory->stop_trying();
    CHECK(connector->state() == Connector::State::connected);
    factory->reset_delay();
    factory->last->transport().abort_connection();
    loop.until([&] { return loop.events.size() == 2; });
    loop.take();
    for (DelayedCall& call : loop.reactor.delayed_calls()) call.cancel();
    connector->connect();
    factory->stop_trying();
    CHECK(loop.events == Events{"failed"});
    CHECK(connector->state() == Connector::State::disconnected);
    loop.settle();
    CHECK(loop.reactor.delayed_calls().empty());
}

LARIAT_BACKEND_TEST_CASE("C17 after stop_trying a loss is not followed by a retry") {
    Loop loop(backend_kind);
    auto port = loop.listen(factory_for<Protocol>());
    auto factory = std::make_shared<Persistent>(loop.events);
    loop.connect(*port, factory, ConnectOptions().no_timeout());
    loop.until([&] { return loop.events.size() == 1; });
    factory->stop_trying();
    factory->last->transport().lose_connection();
    loop.until([&] { return loop.events.size() == 2; });
    loop.settle();
    CHECK(loop.reactor.delayed_calls().empty());
    CHECK(factory->retries() == 0);
}

LARIAT_BACKEND_TEST_CASE("C17 after max_retries it gives up, and says so when it is noisy") {
    CapturedLogs logs;
    Loop loop(backend_kind);
    auto factory = std::make_shared<Persistent>(loop.events);
    factory->set_noisy(true);
    factory->set_max_retries(1);
    auto connector = loop.reactor.connect_tcp("127.0.0.1", refused_port(loop), factory, ConnectOptions().no_timeout());
    loop.until([&] { return loop.events.size() == 1; });
    CHECK(logs.count(connector->destination().str() + " will retry in ") == 1);
    wait_and_skip(loop);
    loop.until([&] { return loop.events.size() == 2; });
    CHECK(loop.reactor.delayed_calls().empty());
    CHECK(logs.count("Abandoning " + connector->destination().str() + " after 2 retries.") == 1);
}

LARIAT_BACKEND_TEST_CASE("C17 retry() without any connector is a UsageError, and does nothing after stop_trying") {
    Loop loop(backend_kind);
    Persistent factory(loop.events);
    CHECK_THROWS_AS(factory.retry(), UsageError);
    factory.stop_trying();
    factory.retry();
    CHECK(loop.reactor.delayed_calls().empty());
}

}  // namespace
}  // namespace lariat::test
