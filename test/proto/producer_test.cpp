// SPDX-License-Identifier: MIT
// Back-pressure by producers: when a transport pauses, resumes and stops them, and how they delay its close.
#include "scripted.hpp"
#include <lariat/io/base/log.hpp>

#include <stdexcept>

namespace lariat::test {
namespace {

class Push final : public PushProducer {
public:
    explicit Push(Events& events) : events_(events) {}
    void pause_producing() override { say("pause", on_pause); }
    void resume_producing() override { say("resume", on_resume); }
    void stop_producing() override { say("stop", {}); }

    std::function<void()> on_pause, on_resume;

private:
    void say(const char* what, const std::function<void()>& then) {
        events_.emplace_back(what);
        if (then) then();
    }
    Events& events_;
};

class Pull final : public PullProducer {
public:
    explicit Pull(Events& events) : events_(events) {}
    void resume_producing() override {
        events_.emplace_back("resume");
        if (on_resume) on_resume();
    }
    void stop_producing() override { events_.emplace_back("stop"); }

    std::function<void()> on_resume;

private:
    Events& events_;
};

const std::string& flood() {
    static const std::string text(12 * 1024 * 1024, 'x');
    return text;
}

LARIAT_BACKEND_TEST_CASE("X14 stop_producing on a transport is lose_connection") {
    Pair pair(backend_kind);
    pair.establish();
    pair.client->transport().write("flushed");
    pair.client->transport().stop_producing();
    CHECK(pair.client->transport().disconnecting());
    pair.until_lost();
    CHECK(pair.server->received == "flushed");
    CHECK(why(pair.client->reason) == "ConnectionDone");
}

LARIAT_BACKEND_TEST_CASE("X15 a second producer is refused while one is registered") {
    Pair pair(backend_kind);
    pair.establish();
    Push first(pair.events), second(pair.events);
    Transport& transport = pair.client->transport();
    transport.register_producer(first);
    CHECK_THROWS_AS(transport.register_producer(second), UsageError);
    transport.unregister_producer();
    transport.register_producer(second);
    transport.unregister_producer();
    CHECK(pair.events.empty());
}

LARIAT_BACKEND_TEST_CASE("X15 a producer registered after the loss is told to stop at once, without being registered") {
    Pair pair(backend_kind);
    pair.establish();
    pair.client->transport().lose_connection();
    pair.until_lost();
    pair.take();
    Push producer(pair.events);
    pair.client->transport().register_producer(producer);
    CHECK(pair.take() == Events{"stop"});
    pair.client->transport().register_producer(producer);
    CHECK(pair.take() == Events{"stop"});
}

LARIAT_BACKEND_TEST_CASE(
    "X15 a pull producer is resumed when registered and whenever the queue is empty, never paused") {
    Pair pair(backend_kind);
    pair.establish();
    Transport& transport = pair.client->transport();
    int left = 3;
    Pull producer(pair.events);
    producer.on_resume = [&] {
        if (left-- > 0) {
            transport.write(std::string(70'000, 'p'));  // more than would pause a push producer
        } else {
            transport.unregister_producer();
        }
    };
    transport.register_producer(producer);
    CHECK(pair.events == Events{"resume"});
    pair.until([&] { return pair.server->received.size() == 210'000; });
    pair.until([&] { return pair.events.size() == 4; });
    pair.settle();
    CHECK(pair.events == Events{"resume", "resume", "resume", "resume"});
}

LARIAT_BACKEND_TEST_CASE("X16 65536 queued bytes do not pause a push producer, one more does, from inside write()") {
    Pair pair(backend_kind);
    pair.establish();
    Transport& transport = pair.client->transport();
    Push producer(pair.events);
    transport.register_producer(producer);
    transport.write(std::string(65'536, 'p'));
    CHECK(pair.events.empty());
    transport.write("1");
    CHECK(pair.take() == Events{"pause"});
    transport.write("2");
    CHECK(pair.take() == Events{"pause"});  // again with each write that finds too much
    pair.until([&] { return pair.server->received.size() == 65'538; });
    pair.until([&] { return !pair.events.empty(); });
    CHECK(pair.events == Events{"resume"});
    transport.unregister_producer();
}

LARIAT_BACKEND_TEST_CASE("X02 X16 write_sequence looks at the producer once") {
    Pair pair(backend_kind);
    pair.establish();
    Transport& transport = pair.client->transport();
    Push producer(pair.events);
    transport.register_producer(producer);
    const std::string part(40'000, 'p');
    transport.write_sequence({part, part, part, part});
    CHECK(pair.events == Events{"pause"});
    transport.unregister_producer();
}

LARIAT_BACKEND_TEST_CASE("X16 a push producer is resumed only when the queue is empty") {
    Pair pair(backend_kind);
    pair.establish();
    Transport& transport = pair.client->transport();
    Push producer(pair.events);
    transport.register_producer(producer);
    pair.server->transport().pause_producing();
    transport.write(flood());
    CHECK(pair.take() == Events{"pause"});
    pair.settle();
    CHECK(pair.events.empty());
    pair.server->transport().resume_producing();
    pair.until([&] { return !pair.events.empty(); });
    CHECK(pair.events == Events{"resume"});
    transport.unregister_producer();
}

LARIAT_BACKEND_TEST_CASE("X16 a producer that writes inside resume_producing is paused and resumed in turn") {
    Pair pair(backend_kind);
    pair.establish();
    Transport& transport = pair.client->transport();
    Push producer(pair.events);
    int left = 2;
    producer.on_resume = [&] {
        if (left-- > 0) transport.write(std::string(70'000, 'p'));
    };
    transport.register_producer(producer);
    transport.write(std::string(70'000, 'p'));
    pair.until([&] { return pair.events.size() == 6; });
    CHECK(pair.events == Events{"pause", "resume", "pause", "resume", "pause", "resume"});
    transport.unregister_producer();
}

LARIAT_BACKEND_TEST_CASE("X17 at a loss the producer is stopped before the protocol hears of it") {
    Pair pair(backend_kind);
    pair.establish();
    Push producer(pair.events);
    pair.client->transport().register_producer(producer);
    pair.client->transport().abort_connection();
    CHECK(pair.events.empty());
    pair.until([&] { return pair.client->times_lost > 0; });
    CHECK(pair.events[0] == "stop");
    CHECK(pair.events[1] == "client lost ConnectionAborted");
    pair.client->transport().unregister_producer();  // nothing to unregister, nothing happens
    pair.client->transport().unregister_producer();
}

LARIAT_BACKEND_TEST_CASE("X08 X17 lose_connection waits for a pull producer to be unregistered") {
    Pair pair(backend_kind);
    pair.establish();
    Transport& transport = pair.client->transport();
    Pull producer(pair.events);
    transport.register_producer(producer);
    transport.write("first ");
    transport.lose_connection();
    pair.settle();
    CHECK(!pair.saw("client lost ConnectionDone"));
    transport.write("second");
    pair.settle();
    CHECK(!pair.saw("client lost ConnectionDone"));
    transport.unregister_producer();
    pair.until_lost();
    CHECK(pair.server->received == "first second");
    CHECK(!pair.saw("stop"));
}

LARIAT_BACKEND_TEST_CASE("X08 lose_connection waits for a paused push producer") {
    Pair pair(backend_kind);
    pair.establish();
    Transport& transport = pair.client->transport();
    Push producer(pair.events);
    producer.on_resume = [&] {
        transport.write("the rest");
        transport.unregister_producer();
    };
    transport.register_producer(producer);
    transport.write(std::string(70'000, 'p'));
    transport.lose_connection();
    pair.until_lost();
    CHECK(pair.server->received.size() == 70'000 + 8);
    CHECK(pair.events == Events{"pause", "resume", "client lost ConnectionDone", "server lost ConnectionDone"});
}

LARIAT_BACKEND_TEST_CASE("X08 a resumed push producer has until its next write is sent") {
    Pair pair(backend_kind);
    pair.establish();
    Transport& transport = pair.client->transport();
    Push producer(pair.events);
    transport.register_producer(producer);
    transport.write(std::string(70'000, 'p'));
    transport.lose_connection();
    pair.until([&] { return pair.saw("resume"); });
    pair.settle();
    CHECK(!pair.saw("client lost ConnectionDone"));
    transport.write("late");
    pair.until_lost();
    CHECK(pair.server->received.size() == 70'000 + 4);
}

LARIAT_BACKEND_TEST_CASE("X08 an un-paused push producer does not delay the close and is stopped") {
    Pair pair(backend_kind);
    pair.establish();
    Push producer(pair.events);
    pair.client->transport().register_producer(producer);
    pair.client->transport().write("all there is");
    pair.client->transport().lose_connection();
    pair.until_lost();
    CHECK(pair.server->received == "all there is");
    CHECK(pair.events == Events{"stop", "client lost ConnectionDone", "server lost ConnectionDone"});
}

LARIAT_BACKEND_TEST_CASE("X11 lose_write_connection waits for a pull producer too") {
    Pair<HalfScripted, HalfScripted> pair(backend_kind);
    pair.establish();
    Transport& transport = pair.client->transport();
    int left = 2;
    Pull producer(pair.events);
    producer.on_resume = [&] {
        if (left-- > 0) {
            transport.write("x");
        } else {
            transport.unregister_producer();
        }
    };
    transport.register_producer(producer);
    transport.lose_write_connection();
    pair.until([&] { return pair.saw("server read lost"); });
    CHECK(pair.server->received == "xx");
    CHECK(pair.events == Events{"resume", "resume", "resume", "client write lost", "server read lost"});
}

LARIAT_BACKEND_TEST_CASE("X24 what escapes resume_producing and pause_producing ends the connection with it") {
    CapturedLogs logs;
    Pair pair(backend_kind);
    pair.establish();
    Transport& transport = pair.client->transport();
    const auto bug = [] { throw std::runtime_error("a bug"); };
    Push push(pair.events);
    Pull pull(pair.events);
    SUBCASE("resume") {
        pull.on_resume = bug;
        transport.register_producer(pull);
    }
    SUBCASE("pause") {
        push.on_pause = bug;
        transport.register_producer(push);
        transport.write(flood());
    }
    pair.until_lost();
    CHECK(pair.client->reason.error_message() == "a bug");
    CHECK(logs.count("a bug") == 1);
    CHECK(pair.saw("stop"));
}

LARIAT_BACKEND_TEST_CASE("X13 X16 a transport is a producer: a proxy passes back-pressure on") {
    // client -> (server transport, producing for) sink's connection, whose far end does not read.
    Pair inflow(backend_kind);
    inflow.establish();
    auto sink = std::make_shared<Scripted>(inflow.events, "sink", Script());
    auto source = std::make_shared<Scripted>(inflow.events, "source", Script());
    auto port = inflow.listen(inflow.factory("sink factory", [&](const Address&) { return sink; }));
    inflow.connect(*port, inflow.factory("source factory", [&](const Address&) { return source; }));
    inflow.until([&] { return sink->made && source->made; });

    source->transport().register_producer(inflow.server->transport());
    sink->transport().pause_producing();
    source->transport().write(flood());  // pauses inflow's server
    inflow.client->transport().write("held back");
    inflow.settle();
    CHECK(inflow.server->received.empty());
    sink->transport().resume_producing();
    inflow.until([&] { return inflow.server->received == "held back"; });
    source->transport().abort_connection();  // stops its producer, which closes
    inflow.until_lost();
    CHECK(why(inflow.server->reason) == "ConnectionDone");
}

LARIAT_BACKEND_TEST_CASE("X15 a producer that a shared_ptr owns is held while registered") {
    Pair pair(backend_kind);
    pair.establish();
    auto producer = std::make_shared<Push>(pair.events);
    const std::weak_ptr<Push> watched = producer;
    pair.client->transport().register_producer(*producer);
    producer.reset();
    CHECK(!watched.expired());
    pair.client->transport().unregister_producer();
    CHECK(watched.expired());
}

}  // namespace
}  // namespace lariat::test
