// SPDX-License-Identifier: MIT
// The rules of cancellation for every verb that is no synchronisation primitive (those are in the tests of theirs) and
// no file (file_test.cpp): streams, listeners, datagrams (sending: udp_room_test.cpp), connecting, joining,
// Deferreds, tokens, scopes.
#include <lariat/test/support/verbs.hpp>

#include <lariat/coro/cancel_token.hpp>
#include <lariat/coro/deferred.hpp>
#include <lariat/coro/from_callback.hpp>
#include <lariat/coro/lines.hpp>
#include <lariat/coro/sync/event.hpp>
#include <lariat/coro/udp_socket.hpp>
#include <lariat/runtime/resolver.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lariat {
namespace {

using test::settle;

Task<> send(TcpStream& stream, std::string text) { co_await stream.write(text); }
Task<> receive_all(TcpStream& stream) {
    while (const Buffer data = co_await stream.read_some()) {}
}

/// A verb of one end of a connection.
class StreamVerb : public test::Verb {
protected:
    Task<> prepare() override { pair_.emplace(co_await test::connected()); }
    Task<> dispose() override {
        if (reader_.is_valid()) {
            reader_.cancel();
            co_await as_result(reader_);
        }
        pair_.reset();
    }
    [[nodiscard]] bool travels() const final { return true; }
    TcpStream& ours() { return pair_->a; }
    TcpStream& theirs() { return pair_->b; }

    JoinHandle<> reader_;  // of theirs

private:
    std::optional<test::StreamPair> pair_;
};

class ReadVerb : public StreamVerb {
    void complete() final { spawn(send, std::ref(theirs()), "abc\n"); }
};
class ReadSomeVerb final : public ReadVerb {
    const char* name() const override { return "read_some"; }
    Task<> wait() override {
        const Buffer data = co_await ours().read_some();
        CHECK(data.text() == "abc\n");
    }
};
class ReadExactlyVerb final : public ReadVerb {
    const char* name() const override { return "read_exactly"; }
    Task<> wait() override {
        const Buffer data = co_await ours().read_exactly(4);
        CHECK(data.text() == "abc\n");
    }
};
class ReadUntilVerb final : public ReadVerb {
    const char* name() const override { return "read_until"; }
    Task<> wait() override {
        const Buffer data = co_await ours().read_until("\n");
        CHECK(data.text() == "abc\n");
    }
};
class LinesVerb final : public ReadVerb {
    const char* name() const override { return "lines().next"; }
    Task<> wait() override {
        auto each = lariat::lines(ours());
        const auto line = co_await each.next();
        CHECK(line == "abc");
    }
};

/// Behind more than the connection takes while nobody reads.
class FullStreamVerb : public StreamVerb {
    Task<> prepare() final {
        co_await StreamVerb::prepare();
        co_await test::fill(ours());
        // A busy kernel may have been slow, not full: more than it can still take.
        co_await as_result(ours().write(Buffer(8 * 1024 * 1024)).within(std::chrono::milliseconds(1)));
    }
    void complete() final { reader_ = spawn(receive_all, std::ref(theirs())); }
};
class WriteVerb final : public FullStreamVerb {
    const char* name() const override { return "write"; }
    Task<> wait() override { co_await ours().write("x"); }
};
class WriteBufferVerb final : public FullStreamVerb {
    const char* name() const override { return "write of a Buffer"; }
    Task<> wait() override { co_await ours().write(Buffer::copy_of("x")); }
};
class DrainedVerb final : public FullStreamVerb {
    const char* name() const override { return "drained"; }
    Task<> wait() override { co_await ours().drained(); }
};

Task<> visit(Address address) {
    const TcpStream stream = co_await connect(address);
    co_await sleep(test::an_hour);
}

class AcceptVerb final : public test::Verb {
    const char* name() const override { return "accept"; }
    Task<> prepare() override {
        listener_.emplace(Address::loopback(0));
        co_return;
    }
    Task<> dispose() override {
        visitor_.cancel();
        co_await as_result(visitor_);
        listener_.reset();
    }
    [[nodiscard]] bool travels() const override { return true; }
    Task<> wait() override {
        const TcpStream peer = co_await listener_->accept();
        CHECK(peer.is_valid());
    }
    void complete() override { visitor_ = spawn(visit, listener_->local_address()); }

    std::optional<Listener> listener_;
    JoinHandle<> visitor_;
};

Task<> send_datagram(UdpSocket& socket, Address to) { co_await socket.send_to("abc", to); }

class ReceiveFromVerb final : public test::Verb {
    const char* name() const override { return "receive_from"; }
    Task<> prepare() override {
        ours_.emplace(Address::loopback(0));
        theirs_.emplace(Address::loopback(0));
        co_return;
    }
    Task<> dispose() override {
        ours_.reset();
        theirs_.reset();
        co_return;
    }
    [[nodiscard]] bool travels() const override { return true; }
    Task<> wait() override {
        const Datagram datagram = co_await ours_->receive_from();
        CHECK(datagram.data.text() == "abc");
    }
    void complete() override { spawn(send_datagram, std::ref(*theirs_), ours_->local_address()); }

    std::optional<UdpSocket> ours_, theirs_;
};

/// Answers once it is told what.
struct PatientNames final : NameResolver {
    void look_up(const Query&, Answer then) override {
        if (address) return then({{*address}, {}});
        waiting.push_back(std::move(then));
    }
    void answer(Address with) {
        address = with;
        for (Answer& then : std::exchange(waiting, {})) then({{with}, {}});
    }
    std::vector<Answer> waiting;
    std::optional<Address> address;
};

class ConnectVerb final : public test::Verb {
    const char* name() const override { return "connect"; }
    Task<> prepare() override {
        Reactor::current()->install_name_resolver(names_);
        listener_.emplace(Address::loopback(0));
        co_return;
    }
    Task<> dispose() override {
        listener_.reset();
        co_return;
    }
    [[nodiscard]] bool travels() const override { return true; }
    Task<> wait() override {
        const TcpStream stream = co_await connect("some.name", listener_->local_address().port());
        CHECK(stream.is_valid());
    }
    void complete() override { names_->answer(listener_->local_address()); }

    std::shared_ptr<PatientNames> names_ = std::make_shared<PatientNames>();
    std::optional<Listener> listener_;
};

Task<> until(Event& event) { co_await event.wait(); }

class JoinVerb final : public test::Verb {
    const char* name() const override { return "join"; }
    [[nodiscard]] bool travels() const override { return true; }
    Task<> wait() override {
        if (!job_.is_valid()) job_ = spawn(until, std::ref(event_));
        co_await job_;
    }
    void complete() override { event_.set(); }

    Event event_;
    JoinHandle<> job_;
};

class DeferredVerb final : public test::Verb {
    const char* name() const override { return "await of a Deferred"; }
    Task<> wait() override {
        fire_ = Deferred<int>();
        const int value = co_await fire_;
        CHECK(value == 7);
    }
    void complete() override { fire_.callback(7); }
    Deferred<int> fire_;
};

class FromCallbackVerb final : public test::Verb {
    const char* name() const override { return "from_callback"; }
    Task<> wait() override {
        const int value = co_await from_callback<int>([this](DeferredCallback<int> done) {
            done_.emplace(std::move(done));
            return [this] { done_.reset(); };
        });
        CHECK(value == 7);
    }
    void complete() override { (*done_)(7); }
    std::optional<DeferredCallback<int>> done_;
};

class WithTokenVerb final : public test::Verb {
    const char* name() const override { return "with_token"; }
    static Task<> take(AutoResetEvent& event) { co_await event.wait(); }
    Task<> wait() override { co_await with_token(source_.token(), take(event_)); }
    void complete() override { event_.set(); }
    AutoResetEvent event_;
    CancelSource source_;
};

Task<> nothing() { co_return; }
Task<> wait_for_place(TaskScope& scope, Event& place) {
    scope.spawn(until, std::ref(place));
    co_await scope.spawn_when_below(1, nothing);
}
class SpawnWhenBelowVerb final : public test::Verb {
    const char* name() const override { return "spawn_when_below"; }
    [[nodiscard]] bool travels() const override { return true; }
    Task<> wait() override { co_await with_scope(wait_for_place, std::ref(place_)); }
    void complete() override { place_.set(); }
    Event place_;
};

constexpr test::MakeVerb verbs[] = {
    test::make_verb<ReadSomeVerb>,     test::make_verb<ReadExactlyVerb>,    test::make_verb<ReadUntilVerb>,
    test::make_verb<LinesVerb>,        test::make_verb<WriteVerb>,          test::make_verb<WriteBufferVerb>,
    test::make_verb<DrainedVerb>,      test::make_verb<AcceptVerb>,         test::make_verb<ReceiveFromVerb>,
    test::make_verb<ConnectVerb>,      test::make_verb<JoinVerb>,           test::make_verb<DeferredVerb>,
    test::make_verb<FromCallbackVerb>, test::make_verb<SpawnWhenBelowVerb>, test::make_verb<WithTokenVerb>,
};
LARIAT_VERB_TEST_CASES("a verb", verbs)

}  // namespace
}  // namespace lariat
