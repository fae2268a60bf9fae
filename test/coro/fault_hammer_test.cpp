// SPDX-License-Identifier: MIT
// Random trees of scopes whose tasks talk over sockets, are cancelled and time out, on backends with faults. Whatever
// the seed: what arrives is what was sent, every task has ended when its scope returns, and nothing is left open.
// A failure names the seed; LARIAT_HAMMER_SEED=SEED runs that one alone, LARIAT_HAMMER_SEEDS=COUNT more of them.
#include <lariat/io/base/log.hpp>
#include <lariat/io/base/random.hpp>
#include <lariat/io/sim/world.hpp>
#include <lariat/test/support/coro_world.hpp>
#include <lariat/test/support/faults.hpp>
#include <lariat/test/support/io_world.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace lariat {
namespace {

using io::Fault;
using io::FaultPlan;
using test::faulty;

/// What all tasks of a run have come to.
struct Tally {
    explicit Tally(bool errors_) : errors(errors_) {}

    bool errors;  // connections may fail
    int started = 0;
    int ended = 0;
    int complete = 0;
    int timeouts = 0;
    int cancelled = 0;
    int failed = 0;
};

/// Counts the task it is a local of, in the run and in its subtree.
class Alive {
public:
    Alive(Tally& tally, int& subtree) : tally_(tally), subtree_(subtree) {
        ++tally_.started;
        ++subtree_;
    }
    Alive(const Alive&) = delete;
    Alive& operator=(const Alive&) = delete;
    ~Alive() {
        ++tally_.ended;
        --subtree_;
    }

private:
    Tally& tally_;
    int& subtree_;
};

std::string text_of(std::uint64_t seed) {
    Random random(seed);
    return test::pattern(random.between(1, random.chance(50) ? 400'000 : 3000), static_cast<std::uint32_t>(seed));
}

Task<> echo(TcpStream peer) {
    while (Buffer data = co_await peer.read_some()) co_await peer.write(std::move(data));
}

Task<> send_all(TcpStream& stream, const std::string& text, std::uint64_t seed) {
    Random random(seed);
    for (std::size_t sent = 0; sent < text.size();) {
        const std::size_t size = std::min<std::size_t>(random.between(1, 4000), text.size() - sent);
        co_await stream.write(Bytes(std::string_view(text).substr(sent, size)));
        sent += size;
        if (random.chance(100)) co_await sleep(std::chrono::microseconds(random.below(300)));
    }
    stream.shutdown_write();
}

Task<> converse(TaskScope& scope, TcpStream& stream, const std::string& text, std::string& received, Tally& tally,
                std::uint64_t seed) {
    Random random(seed);
    scope.spawn(send_all, std::ref(stream), std::cref(text), seed);
    bool ended = false;
    while (!ended) {
        const bool hurried = random.chance(200);
        Buffer data;
        try {
            if (hurried) {
                data = co_await stream.read_some().within(std::chrono::microseconds(random.below(200)));
            } else {
                data = co_await stream.read_some();
            }
            ended = data.empty();
        } catch (const TimedOut&) {
            if (!hurried) throw;
            ++tally.timeouts;
        }
        received += data.text();
        if (random.chance(50)) co_await sleep(std::chrono::microseconds(random.below(5000)));  // until reading pauses
    }
}

/// A leaf: sends a text of its own to the server and compares what comes back.
Task<> talk(Tally& tally, int& subtree, Address server, std::uint64_t seed) {
    const Alive alive(tally, subtree);
    const std::string text = text_of(seed);
    std::string received, failure;
    bool cancelled = false;
    try {
        TcpStream stream = co_await connect(server);
        co_await with_scope(converse, std::ref(stream), std::cref(text), std::ref(received), std::ref(tally), seed);
    } catch (const Error& error) {
        failure = error.what();
    } catch (const Cancelled&) {
        cancelled = true;
    }
    CHECK(text.starts_with(received));
    if (cancelled) {
        ++tally.cancelled;
    } else if (received == text) {
        ++tally.complete;
    } else {
        ++tally.failed;
        CAPTURE(failure);
        CHECK(tally.errors);
    }
}

Task<> subtree_of(Tally& tally, int& parent, Address server, std::uint64_t seed, int depth);

Task<> branch(TaskScope& scope, Tally& tally, int& subtree, Address server, std::uint64_t seed, int depth) {
    const Alive alive(tally, subtree);
    Random random(seed);
    std::vector<JoinHandle<>> children;
    for (std::uint64_t count = random.between(1, 4); count > 0; --count) {
        if (depth > 0 && random.chance(400)) {
            children.push_back(
                scope.spawn(subtree_of, std::ref(tally), std::ref(subtree), server, random.next(), depth - 1));
        } else {
            children.push_back(scope.spawn(talk, std::ref(tally), std::ref(subtree), server, random.next()));
        }
        if (random.chance(500)) co_await sleep(std::chrono::microseconds(random.below(500)));
        if (random.chance(200)) children[random.below(children.size())].cancel();
    }
    if (random.chance(100)) scope.cancel();
    if (!random.chance(300)) co_return;
    try {
        co_await children.front();
    } catch (const Cancelled&) {}  // the child was, or this task is: then with_scope() says so
}

/// An inner node: all that it started has ended when its scope returns, however that comes.
Task<> subtree_of(Tally& tally, int& parent, Address server, std::uint64_t seed, int depth) {
    const Alive alive(tally, parent);
    int subtree = 0;
    try {
        co_await with_scope(branch, std::ref(tally), std::ref(subtree), server, seed, depth);
    } catch (const Cancelled&) {
        CHECK(subtree == 0);
        throw;
    }
    CHECK(subtree == 0);
}

Task<> serve(Listener& listener) { co_await listener.serve(echo); }

Task<> client(Tally& tally, Address server, std::uint64_t seed) {
    int tree = 0;
    co_await subtree_of(tally, tree, server, seed, 3);
    CHECK(tree == 0);
}

/// Server and clients on one reactor.
Task<> both(Tally& tally, io::FaultBackend& backend, FaultPlan plan, std::uint64_t seed) {
    Listener listener(Address::loopback(0), ListenOptions().backlog(200));
    backend.set_plan(plan);
    const JoinHandle<> server = spawn(serve, std::ref(listener));
    co_await client(tally, listener.local_address(), seed);
    listener.close();
    co_await server;
}

void check_ledger(Reactor& reactor) {
    const io::Ledger ledger = reactor.backend().ledger();
    CHECK(ledger.operations == 0);
    CHECK(ledger.descriptors == 0);
    CHECK(ledger.buffers == 0);
}

FaultPlan plan_of(std::uint64_t seed, bool errors) {
    Random random(seed);
    FaultPlan plan(random.next());
    for (std::size_t i = 0; i < io::fault_kinds; ++i) {
        const auto fault = static_cast<Fault>(i);
        const bool seen = i >= io::fault_kinds_unseen;
        if (random.chance(500) && (errors || !seen)) {
            plan.rate(fault, static_cast<unsigned>(random.between(1, seen ? 30 : 400)));
        }
    }
    return plan.turns(static_cast<unsigned>(random.between(1, 10))).slowness(std::chrono::milliseconds(20));
}

/// Calls `run(seed)` for the seeds of a test, or for the one that LARIAT_HAMMER_SEED names.
template <class Run>
void each_seed(std::uint64_t count, Run run) {
    if (const char* only = std::getenv("LARIAT_HAMMER_SEED")) return run(std::strtoull(only, nullptr, 10));
    if (const char* more = std::getenv("LARIAT_HAMMER_SEEDS")) count = std::strtoull(more, nullptr, 10);
    for (std::uint64_t seed = 1; seed <= count; ++seed) {
        INFO("LARIAT_HAMMER_SEED=", seed);
        run(seed);
    }
}

void check_all(const Tally& total) {
    if (std::getenv("LARIAT_HAMMER_SEED")) return;
    CHECK(total.complete > 0);
    CHECK(total.timeouts > 0);
    CHECK(total.cancelled > 0);
    CHECK((total.failed > 0) == total.errors);
}

void add(Tally& total, const Tally& one) {
    CHECK(one.started == one.ended);
    total.complete += one.complete;
    total.timeouts += one.timeouts;
    total.cancelled += one.cancelled;
    total.failed += one.failed;
}

void hammer_seed(io::BackendKind kind, std::uint64_t seed, Tally& total) {
    Tally tally(total.errors);
    auto backend = faulty(kind, FaultPlan(seed));
    io::FaultBackend& faults = *backend;
    Reactor reactor(std::move(backend));
    CHECK(run(reactor, both(tally, faults, plan_of(seed, total.errors), seed)) == 0);
    check_ledger(reactor);
    add(total, tally);
}

void hammer_one_reactor(io::BackendKind kind, bool errors, std::uint64_t seeds) {
    const CapturedLogs logs;
    Tally total(errors);
    each_seed(seeds, [&](std::uint64_t seed) { hammer_seed(kind, seed, total); });
    check_all(total);
}

/// A server and two clients, each on a host of its own, over links that lose segments.
void hammer_network(bool errors, std::uint64_t seeds) {
    const CapturedLogs logs;
    Tally total(errors);
    each_seed(seeds, [&](std::uint64_t seed) {
        Tally tally(errors);
        sim::World world(seed);
        world.default_link(sim::LinkOptions().latency(std::chrono::microseconds(200)).loss(seed % 3 == 0 ? 20 : 0));
        sim::Host& server = world.add_host("server", {"10.0.0.1"});
        int clients = 2;
        const auto on_reactor = [seed, errors](std::uint64_t part, auto task_of) {
            auto backend = faulty(io::BackendKind::sim, FaultPlan(seed));
            io::FaultBackend& faults = *backend;
            Reactor reactor(std::move(backend));
            const int status = run(reactor, task_of(faults, plan_of(3 * seed + part, errors)));
            check_ledger(reactor);
            return status;
        };
        server.start("echo", [&] {
            return on_reactor(0, [&](io::FaultBackend& faults, FaultPlan plan) {
                return [](io::FaultBackend& backend, FaultPlan faults_, int& left) -> Task<> {
                    Listener listener("10.0.0.1:7", ListenOptions().backlog(200));
                    backend.set_plan(faults_);
                    const JoinHandle<> serving = spawn(serve, std::ref(listener));
                    while (left > 0) co_await sleep(std::chrono::milliseconds(10));
                    listener.close();
                    co_await serving;
                }(faults, plan, clients);
            });
        });
        for (std::uint64_t i = 1; i <= 2; ++i) {
            world.add_host("client" + std::to_string(i)).start("talk", [&, i] {
                return on_reactor(i, [&](io::FaultBackend& faults, FaultPlan plan) {
                    return [](io::FaultBackend& backend, FaultPlan faults_, int& left, Tally& tally_,
                              std::uint64_t seed_) -> Task<> {
                        co_await sleep(std::chrono::milliseconds(1));  // the server listens by then
                        backend.set_plan(faults_);
                        co_await client(tally_, *Address::parse("10.0.0.1:7"), seed_);
                        --left;
                    }(faults, plan, clients, tally, 10 * seed + i);
                });
            });
        }
        CHECK(world.run(std::chrono::hours(1)) == sim::World::Outcome::ended);
        for (const auto& host : world.hosts()) CHECK_FALSE(host->programs_running());
        CHECK(clients == 0);
        add(total, tally);
    });
    check_all(total);
}

}  // namespace

TEST_SUITE_BEGIN("coro fault hammer");

LARIAT_BACKEND_TEST_CASE("trees of scopes lose nothing under faults that cannot be seen") {
    hammer_one_reactor(backend_kind, false, backend_kind == io::BackendKind::sim ? 100 : 20);
}

LARIAT_BACKEND_TEST_CASE("trees of scopes end in order when connections fail as well") {
    hammer_one_reactor(backend_kind, true, backend_kind == io::BackendKind::sim ? 100 : 10);
}

TEST_CASE("trees of scopes on several hosts lose nothing under faults that cannot be seen") {
    hammer_network(false, 100);
}

TEST_CASE("trees of scopes on several hosts end in order when connections fail as well") { hammer_network(true, 100); }

TEST_SUITE_END();

TEST_SUITE_BEGIN("coro hammer threads");

LARIAT_KERNEL_TEST_CASE("trees of scopes on two reactors, each in a thread of its own, lose nothing") {
    constexpr std::uint64_t seeds_each = 8;
    const CapturedLogs logs;
    Tally totals[] = {Tally(true), Tally(true)};
    {
        std::vector<std::jthread> threads;
        for (std::uint64_t i = 0; i < 2; ++i) {
            threads.emplace_back([kind = backend_kind, i, &total = totals[i]] {
                for (std::uint64_t seed = 1; seed <= seeds_each; ++seed) hammer_seed(kind, 2 * seed + i, total);
            });
        }
    }
    for (const Tally& total : totals) CHECK(total.complete > 0);
}

TEST_SUITE_END();

}  // namespace lariat
