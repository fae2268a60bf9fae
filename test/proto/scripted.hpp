// SPDX-License-Identifier: MIT
// Protocols and factories that record what is called on them, in order, and do what a test says; and both ends of a
// loopback connection in one reactor. The record is what the tests compare.
#pragma once

#include <lariat/proto/proto.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/test/support/backends.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

template <>
struct doctest::StringMaker<std::vector<std::string>> {
    static String convert(const std::vector<std::string>& events) {
        std::string text;
        for (const std::string& event : events) text += (text.empty() ? "[" : ", ") + event;
        return (text + "]").c_str();
    }
};

namespace lariat::test {

using Events = std::vector<std::string>;

/// The class of the exception, without namespaces.
inline std::string why(const Failure& reason) { return lariat::detail::class_name(reason.type()); }

/// Records how a Deferred fires.
inline void record_firing(Events& events, const std::string& name, const Deferred<>& deferred) {
    deferred.add_callback([&events, name] { events.push_back(name + " fired"); });
    deferred.add_errback(
        [&events, name](const Failure& failure) { events.push_back(name + " failed: " + failure.error_message()); });
}

class Scripted;

/// What a Scripted protocol does in its callbacks, after recording them.
struct Script {
    std::function<void(Scripted&)> made;
    std::function<void(Scripted&, Bytes)> data;
    std::function<void(Scripted&, const Failure&)> lost;
};

class Scripted : public Protocol {
public:
    Scripted(Events& events, std::string name, Script script)
        : events_(events), name_(std::move(name)), script_(std::move(script)) {}

    void connection_made() override {
        record("made");
        made = true;
        if (script_.made) script_.made(*this);
    }
    void data_received(Bytes data) override {
        received += data.text();
        if (script_.data) script_.data(*this, data);
    }
    void connection_lost(const Failure& failure) override {
        record("lost " + why(failure));
        ++times_lost;
        reason = failure;
        if (script_.lost) script_.lost(*this, failure);
    }
    void record(const std::string& what) { events_.push_back(name_ + " " + what); }

    std::string received;
    bool made = false;
    int times_lost = 0;
    Failure reason;

private:
    Events& events_;
    std::string name_;
    Script script_;
};

/// The same for a protocol that goes on when one direction has ended.
class HalfScripted final : public Scripted, public HalfCloseableProtocol {
public:
    using Scripted::Scripted;

    void read_connection_lost() override {
        record("read lost");
        if (on_read_lost) on_read_lost(*this);
    }
    void write_connection_lost() override {
        record("write lost");
        if (on_write_lost) on_write_lost(*this);
    }

    std::function<void(HalfScripted&)> on_read_lost;
    std::function<void(HalfScripted&)> on_write_lost;
};

/// Records everything a factory can be told, and what it builds.
class ScriptedFactory final : public ClientFactory {
public:
    ScriptedFactory(Events& events, std::string name, std::function<ProtocolPtr(const Address&)> build)
        : build_it(std::move(build)), events_(events), name_(std::move(name)) {
        set_noisy(false);
    }

    void start_factory() override { call("start", on_start); }
    void stop_factory() override { call("stop", on_stop); }
    ProtocolPtr build_protocol(const Address& peer) override {
        record("build");
        return build_it(peer);
    }
    void started_connecting(Connector& connector) override {
        record("connecting");
        if (on_connecting) on_connecting(connector);
    }
    void client_connection_failed(Connector& connector, const Failure& reason) override {
        record("failed " + why(reason));
        failure = reason;
        if (on_failed) on_failed(connector, reason);
    }
    void client_connection_lost(Connector& connector, const Failure& reason) override {
        record("lost " + why(reason));
        if (on_lost) on_lost(connector, reason);
    }
    void record(const std::string& what) { events_.push_back(name_ + " " + what); }

    std::function<ProtocolPtr(const Address&)> build_it;
    std::function<void()> on_start, on_stop;
    std::function<void(Connector&)> on_connecting;
    std::function<void(Connector&, const Failure&)> on_failed, on_lost;
    Failure failure;

private:
    void call(const char* what, const std::function<void()>& then) {
        record(what);
        if (then) then();
    }

    Events& events_;
    std::string name_;
};

/// A reactor, turned by hand, and the record.
class Loop {
public:
    explicit Loop(io::BackendKind kind) : reactor(ReactorOptions().backend(kind)) {}
    explicit Loop(std::unique_ptr<io::Backend> backend) : reactor(std::move(backend)) {}

    /// Turns the loop until `condition()` holds.
    template <class Condition>
    void until(Condition condition) {
        const TimePoint end = reactor.now() + std::chrono::seconds(20);
        while (!condition()) {
            if (reactor.now() >= end) FAIL("the condition did not come true within 20 seconds");
            reactor.iterate(std::chrono::milliseconds(200));
        }
    }
    /// Turns the loop a few times without waiting, for what must not happen.
    void settle() {
        for (int i = 0; i < 20; ++i) reactor.iterate();
    }
    [[nodiscard]] bool saw(const std::string& event) const {
        for (const std::string& each : events) {
            if (each == event) return true;
        }
        return false;
    }
    [[nodiscard]] std::string last() const { return events.empty() ? "" : events.back(); }
    /// The events of one side. The order between the two ends of a connection is the kernel's business.
    [[nodiscard]] Events events_of(const std::string& who) const {
        Events found;
        for (const std::string& each : events) {
            if (each.starts_with(who)) found.push_back(each);
        }
        return found;
    }
    /// The events, and an empty record for what follows.
    Events take() { return std::exchange(events, {}); }

    std::shared_ptr<ScriptedFactory> factory(const std::string& name,
                                             std::function<ProtocolPtr(const Address&)> build) {
        return std::make_shared<ScriptedFactory>(events, name, std::move(build));
    }
    /// A factory whose protocols, all called `name`, do nothing.
    std::shared_ptr<ScriptedFactory> idle_factory(const std::string& name) {
        return factory(name + " factory",
                       [this, name](const Address&) { return std::make_shared<Scripted>(events, name, Script()); });
    }
    std::shared_ptr<Port> listen(std::shared_ptr<Factory> factory) {
        return reactor.listen_tcp(0, std::move(factory), ListenOptions().interface("127.0.0.1"));
    }
    std::shared_ptr<Connector> connect(const Port& port, std::shared_ptr<ClientFactory> factory,
                                       const ConnectOptions& options = {}) {
        return reactor.connect_tcp("127.0.0.1", port.host().port(), std::move(factory), options);
    }

    Events events;  // before the reactor, whose end may add to it
    Reactor reactor;
};

/// A connection with a Server and a Client protocol, each a Scripted or a HalfScripted.
template <class Server = Scripted, class Client = Scripted>
class Pair : public Loop {
public:
    explicit Pair(io::BackendKind kind, Script server_script = {}, Script client_script = {}) : Loop(kind) {
        server = std::make_shared<Server>(events, "server", std::move(server_script));
        client = std::make_shared<Client>(events, "client", std::move(client_script));
    }

    /// Connects and waits until both ends have been made; forgets the record.
    Pair& establish() {
        establish_unheard();
        until([&] { return server->made && client->made; });
        take();
        return *this;
    }
    void establish_unheard() {
        auto server_factory = std::make_shared<Fixed>(server);
        port = listen(server_factory);
        connector = connect(*port, std::make_shared<Fixed>(client));
    }
    void until_lost() {
        until([&] { return server->times_lost > 0 && client->times_lost > 0; });
    }

    std::shared_ptr<Server> server;
    std::shared_ptr<Client> client;
    std::shared_ptr<Port> port;
    std::shared_ptr<Connector> connector;

private:
    /// Builds the one protocol it was given.
    class Fixed final : public ClientFactory {
    public:
        explicit Fixed(ProtocolPtr protocol) : protocol_(std::move(protocol)) { set_noisy(false); }
        ProtocolPtr build_protocol(const Address&) override { return protocol_; }

    private:
        ProtocolPtr protocol_;
    };
};

}  // namespace lariat::test
