// SPDX-License-Identifier: MIT
// Some servers echo, half of them with a Protocol, half with a coroutine. Clients send them streams, several at a time,
// some with a Protocol, some with a Task, until the faults are over and one more has worked. Whatever befalls the
// network: what comes back is what was sent, byte for byte; a clean end comes after the last byte; callbacks come in
// their order; and once the network is whole, every client gets done.
#include "pattern.hpp"
#include "trial.hpp"
#include <lariat/lariat.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace lariat::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t port = 7;
constexpr Duration quiet_from = 60s;
constexpr Duration patience = 20s;  // of a client whose peer is silent

// Servers

Task<> echo(TcpStream peer) {
    try {
        while (Buffer data = co_await peer.read_some()) co_await peer.write(std::move(data));
    } catch (const ConnectionClosed&) {  // the network's fault
    }
}

Task<> serve() {
    Listener listener = insist([] { return Listener(Address::any_ipv4(port)); });
    co_await listener.serve(echo);
}

int serve_task(Trial& trial, const std::string& name) {
    return trial.run_program(name, [](Reactor& reactor) { return lariat::run(reactor, serve()); });
}

struct Echo : Protocol {
    void data_received(Bytes data) override { transport().write(data); }
};

int serve_protocol(Trial& trial, const std::string& name) {
    return trial.run_program(name, [](Reactor& reactor) {
        insist([&reactor] { return reactor.listen_tcp(port, factory_for<Echo>()); });
        return reactor.run();
    });
}

// The client with tasks

Task<> send(TcpStream& stream, Pattern pattern, Random random) {
    try {
        for (std::size_t sent = 0; sent < pattern.size();) {
            const std::string block = pattern.text(sent, random.between(1, 20'000));
            co_await stream.write(block);
            sent += block.size();
            if (random.chance(100)) co_await sleep(std::chrono::microseconds(random.below(5'000)));
        }
    } catch (const ConnectionClosed&) {  // the reader hears of it, too
    }
}

Task<> send_and_compare(TaskScope& scope, Trial& trial, TcpStream& stream, Pattern pattern, Random random) {
    scope.spawn(send, std::ref(stream), pattern, random);
    std::size_t got = 0;
    while (got < pattern.size()) {
        const Buffer data = co_await stream.read_some().within(patience);
        trial.require_unless_short(!data.empty(), "a clean end of the stream came before its last byte");
        trial.require(pattern.matches(got, data.text()), "a stream came back with other bytes than were sent");
        if (data.empty()) throw EndOfStream("the stream ended early");
        got += data.size();
    }
}

Task<> stream_with_task(Trial& trial, Address to, Pattern pattern, Random random) {
    TcpStream stream = co_await connect(to).within(patience);
    co_await with_scope(send_and_compare, std::ref(trial), std::ref(stream), pattern, random);
    co_await stream.close();
}

// The client with a Protocol and Deferreds

class Comparing : public Protocol {
public:
    Comparing(Trial& trial, Pattern pattern, Deferred<> done)
        : trial_(trial), pattern_(pattern), done_(std::move(done)) {}

    void connection_made() override {
        trial_.require(++made_ == 1 && lost_ == 0, "connection_made came twice or late");
        restart_patience();
        transport().write(pattern_.text(0, pattern_.size()));
    }
    void data_received(Bytes data) override {
        trial_.require(made_ == 1 && lost_ == 0, "data_received came before connection_made or after connection_lost");
        trial_.require(pattern_.matches(got_, as_text(data)), "a Protocol got back other bytes than it sent");
        got_ += data.size();
        restart_patience();
        if (got_ == pattern_.size()) transport().lose_connection();
    }
    void connection_lost(const Failure& reason) override {
        trial_.require(made_ == 1 && ++lost_ == 1, "connection_lost came twice or alone");
        if (patience_.active()) patience_.cancel();
        const bool clean = reason.check<ConnectionDone>();
        if (clean) {
            trial_.require_unless_short(got_ == pattern_.size(), "a clean connection_lost came before the last byte");
        }
        if (got_ == pattern_.size()) {
            done_.callback();
        } else {
            done_.errback(reason);
        }
    }

private:
    static std::string_view as_text(Bytes data) { return {reinterpret_cast<const char*>(data.data()), data.size()}; }
    void restart_patience() {
        if (patience_.active()) patience_.cancel();
        patience_ = Reactor::current()->call_later(patience, [this] { transport().abort_connection(); });
    }

    Trial& trial_;
    Pattern pattern_;
    Deferred<> done_;
    DelayedCall patience_;
    std::size_t got_ = 0;
    int made_ = 0;
    int lost_ = 0;
};

class ComparingFactory : public ClientFactory {
public:
    ComparingFactory(Trial& trial, Pattern pattern, Deferred<> done)
        : trial_(trial), pattern_(pattern), done_(std::move(done)) {}
    ProtocolPtr build_protocol(const Address&) override { return std::make_unique<Comparing>(trial_, pattern_, done_); }
    void client_connection_failed(Connector&, const Failure& reason) override { done_.errback(reason); }

private:
    Trial& trial_;
    Pattern pattern_;
    Deferred<> done_;
};

Deferred<> stream_with_protocol(Trial& trial, const Address& to, Pattern pattern) {
    Deferred<> done;
    Reactor::current()->connect_tcp(to.host(), port, std::make_shared<ComparingFactory>(trial, pattern, done),
                                    ConnectOptions().timeout(patience));
    return done;
}

// Clients

Task<bool> stream_once(Trial& trial, Random random) {
    const auto& hosts = trial.world.hosts();
    const sim::Host* server = nullptr;
    while (!server || server->name().find("server") != 0) server = hosts[random.below(hosts.size())].get();
    Address to = server->addresses().front();
    to.set_port(port);
    const std::uint64_t key = random.next();  // not as an argument: compilers differ in which one they draw first
    const Pattern pattern(key, random.between(1, std::size_t(1) << random.between(1, 17)));
    try {
        if (random.chance(500)) {
            co_await stream_with_task(trial, to, pattern, random.fork("stream"));
        } else {
            co_await stream_with_protocol(trial, to, pattern);
        }
        co_return true;
    } catch (const Error&) {  // the network's
        co_return false;
    }
}

Task<> stream_on(Trial& trial, Random random) {
    for (int i = 0;; ++i) {
        const bool whole = trial.is_quiet();
        if (co_await stream_once(trial, random.fork(std::to_string(i))) && whole) co_return;
        co_await sleep(std::chrono::milliseconds(random.between(1, 6'000)));
    }
}

Task<> stream_several(TaskScope& scope, Trial& trial, Random random) {
    spawn_some(scope, random, stream_on, trial);
    co_return;
}

int ask(Trial& trial, const std::string& name) {
    return trial.run_program(name, [&](Reactor& reactor) {
        return lariat::run(reactor, with_scope(stream_several, std::ref(trial), trial.random(name)));
    });
}

}  // namespace

void echo_cluster(Trial& trial) {
    Random random = trial.random("hosts");
    std::vector<std::string> servers(random.between(1, 3));
    for (std::size_t i = 0; i < servers.size(); ++i) servers[i] = "server" + std::to_string(i);
    const std::uint64_t clients = random.between(1, 3);
    std::set<std::string> protocols;
    for (const std::string& server : servers) {
        if (random.chance(500)) protocols.insert(server);
    }
    trial.run_hosts(servers, clients, quiet_from, [&trial, protocols](const std::string& host) {
        if (host.starts_with("client")) return ask(trial, host);
        return protocols.contains(host) ? serve_protocol(trial, host) : serve_task(trial, host);
    });
}

}  // namespace lariat::test
