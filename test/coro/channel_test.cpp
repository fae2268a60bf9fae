// SPDX-License-Identifier: MIT
// Channel and Queue: order, room, closing, and values that are neither lost nor delivered twice.
#include <lariat/coro/sync/channel.hpp>

#include <lariat/coro/sync/queue.hpp>
#include <lariat/coro/when_all.hpp>
#include <lariat/test/support/verbs.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lariat {
namespace {

using test::record;
using test::run_on;
using test::settle;

using Steps = std::vector<std::string>;
using Number = std::unique_ptr<int>;  // moves only, and sanitizers see what becomes of it

Task<> sends(Channel<Number>& channel, int from, int to) {
    for (int i = from; i < to; ++i) co_await channel.send(std::make_unique<int>(i));
}
Task<> receives(Channel<Number>& channel, std::vector<int>& got) {
    while (const auto value = co_await channel.receive()) got.push_back(**value);
}
Task<> closes_behind(Channel<Number>& channel, Task<> sending) {
    co_await std::move(sending);
    channel.close();
}
Task<> in_order() {
    for (const std::size_t room : {0u, 1u, 3u}) {
        CAPTURE(room);
        Channel<Number> channel(room);
        std::vector<int> got;
        co_await when_all(receives(channel, got), closes_behind(channel, sends(channel, 0, 20)));
        REQUIRE(got.size() == 20);
        for (int i = 0; i < 20; ++i) CHECK(got[static_cast<std::size_t>(i)] == i);
        got.clear();
        Channel<Number> reversed(room);
        co_await when_all(closes_behind(reversed, sends(reversed, 0, 20)), receives(reversed, got));
        REQUIRE(got.size() == 20);
        for (int i = 0; i < 20; ++i) CHECK(got[static_cast<std::size_t>(i)] == i);
    }
}
LARIAT_BACKEND_TEST_CASE("values come out in order, whoever is first") { run_on(backend_kind, in_order); }

Task<> notes_send(Channel<int>& channel, int value, Steps& steps) {
    co_await channel.send(value);
    steps.push_back(std::to_string(value));
}
Task<> rendezvous() {
    Channel<int> channel;
    Steps steps;
    int five = 5;
    CHECK_FALSE(channel.try_send(five));
    CHECK_FALSE(channel.try_receive().has_value());
    spawn(notes_send, std::ref(channel), 1, std::ref(steps));
    spawn(notes_send, std::ref(channel), 2, std::ref(steps));
    co_await settle();
    CHECK(steps.empty());
    CHECK(channel.try_receive() == 1);
    co_await settle();
    CHECK(steps == Steps{"1"});
    CHECK(co_await channel.receive() == 2);
    co_await settle();
    CHECK(steps == Steps{"1", "2"});
    Channel<int> roomy(1);
    spawn(notes_send, std::ref(roomy), 3, std::ref(steps));
    CHECK(steps == Steps{"1", "2", "3"});  // stored at once
    spawn(notes_send, std::ref(roomy), 4, std::ref(steps));
    CHECK(roomy.size() == 1);
    CHECK(roomy.try_receive() == 3);
    CHECK(roomy.size() == 1);
    CHECK(roomy.try_receive() == 4);
    co_await settle();
    CHECK(steps.back() == "4");
}
LARIAT_BACKEND_TEST_CASE("without room a send ends when somebody has the value") { run_on(backend_kind, rendezvous); }

Task<std::string> put_text(Queue<std::string>& queue, std::string value) {
    co_await queue.put(std::move(value));
    co_return "put";
}
Task<std::string> get_text(Queue<std::string>& queue) {
    auto value = co_await queue.get();
    co_return value.value_or("the end");
}
Task<> closing() {
    Queue<std::string> queue(1);
    std::string first, second, third;
    co_await record(first, put_text(queue, "a text that does not fit into the object"));
    CHECK(first == "put");
    const JoinHandle<> waiting = spawn(record, std::ref(second), put_text(queue, "b"));
    queue.close();
    CHECK(queue.is_closed());
    co_await waiting;
    CHECK(second == "ChannelClosed: the channel was closed");
    co_await record(third, put_text(queue, "c"));
    CHECK(third == "ChannelClosed: the channel was closed");
    std::string text = "untouched";
    CHECK_FALSE(queue.try_put(text));
    CHECK(text == "untouched");
    co_await record(first, get_text(queue));
    CHECK(first == "a text that does not fit into the object");
    co_await record(first, get_text(queue));
    CHECK(first == "the end");

    Queue<std::string> empty(2);
    const JoinHandle<> a = spawn(record, std::ref(first), get_text(empty));
    const JoinHandle<> b = spawn(record, std::ref(second), get_text(empty));
    empty.close();
    empty.close();
    co_await a;
    co_await b;
    CHECK(first == "the end");
    CHECK(second == "the end");
}
LARIAT_BACKEND_TEST_CASE("a closed Queue takes nothing more and gives what it has") { run_on(backend_kind, closing); }

Task<> several() {
    Queue<int> queue(4);
    std::vector<int> got;
    const auto produce = [](Queue<int>& to, int base) -> Task<> {
        for (int i = 0; i < 50; ++i) co_await to.put(base + i);
    };
    const auto consume = [](Queue<int>& from, std::vector<int>& into) -> Task<> {
        while (auto value = co_await from.get()) {
            into.push_back(*value);
            if (*value % 3 == 0) co_await yield();
        }
    };
    const JoinHandle<> one = spawn(consume, std::ref(queue), std::ref(got));
    const JoinHandle<> two = spawn(consume, std::ref(queue), std::ref(got));
    co_await when_all(produce(queue, 0), produce(queue, 100), produce(queue, 200));
    CHECK(queue.size() <= queue.capacity());
    queue.close();
    co_await one;
    co_await two;
    CHECK(got.size() == 150);
    int sum = 0;
    for (const int value : got) sum += value;
    CHECK(sum == 3 * 1225 + 50 * 100 + 50 * 200);
}
LARIAT_BACKEND_TEST_CASE("several producers and consumers share a Queue") { run_on(backend_kind, several); }

class SendVerb final : public test::Verb {
    const char* name() const override { return "Channel::send"; }
    Task<> wait() override { co_await channel_.send(std::make_unique<int>(1)); }
    void complete() override { CHECK(channel_.try_receive().has_value()); }
    Channel<Number> channel_;
};
class ReceiveVerb final : public test::Verb {
    const char* name() const override { return "Channel::receive"; }
    Task<> wait() override {
        const auto value = co_await channel_.receive();
        REQUIRE(value.has_value());
        CHECK(**value == 4);
    }
    void complete() override {
        Number four = std::make_unique<int>(4);
        CHECK(channel_.try_send(four));
        CHECK(four == nullptr);
    }
    Channel<Number> channel_;
};
class PutVerb final : public test::Verb {
    const char* name() const override { return "Queue::put"; }
    Task<> wait() override {
        Number number = std::make_unique<int>(0);
        while (queue_.try_put(number)) number = std::make_unique<int>(0);
        co_await queue_.put(std::move(number));
        CHECK(queue_.size() == 2);
    }
    void complete() override { CHECK(queue_.try_get().has_value()); }
    Queue<Number> queue_{2};
};
class GetVerb final : public test::Verb {
    const char* name() const override { return "Queue::get"; }
    Task<> wait() override {
        const auto value = co_await queue_.get();
        REQUIRE(value.has_value());
        CHECK(**value == 4);
    }
    void complete() override {
        Number four = std::make_unique<int>(4);
        CHECK(queue_.try_put(four));
        CHECK(queue_.size() <= 1);
    }
    Queue<Number> queue_{2};
};
constexpr test::MakeVerb channel_verbs[] = {test::make_verb<SendVerb>, test::make_verb<ReceiveVerb>,
                                            test::make_verb<PutVerb>, test::make_verb<GetVerb>};
LARIAT_VERB_TEST_CASES("a verb of channels and queues", channel_verbs)

}  // namespace
}  // namespace lariat
