// SPDX-License-Identifier: MIT
// What each fault does to single operations, and that the promises of Backend hold all the same.
#include <lariat/test/support/backends.hpp>
#include <lariat/test/support/faults.hpp>
#include <lariat/test/support/io_world.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <poll.h>

using namespace lariat;
using namespace lariat::test;
using io::Fault;

namespace {

using Results = std::vector<std::int32_t>;

/// A listener on a backend whose faults are those of `plan` from when it listens on.
class FaultyListener {
public:
    FaultyListener(io::BackendKind kind, const io::FaultPlan& plan) : world(faulty(kind, io::FaultPlan(plan.seed()))) {
        fd = world.listen();
        backend().set_plan(plan);
    }

    io::FaultBackend& backend() { return faults_of(*world); }
    std::uint64_t count(Fault fault) { return backend().counts()[fault]; }
    void plan(const io::FaultPlan& plan) { backend().set_plan(plan); }
    /// A connecting socket that no fault has hindered.
    std::unique_ptr<Connecting> client() {
        auto connect =
            std::make_unique<Connecting>(world, world.keep(backend().below().open_socket(AF_INET, SOCK_STREAM)));
        connect->op.address = world.address_of(fd);
        return connect;
    }
    void connect_one() {
        const io::FaultPlan before = backend().plan();
        plan(io::FaultPlan());
        clients.push_back(client());
        clients.back()->submit();
        clients.back()->wait();
        REQUIRE(clients.back()->last() == 0);
        plan(before);
    }

    World world;
    int fd;
    std::vector<std::unique_ptr<Connecting>> clients;
};

}  // namespace

TEST_SUITE_BEGIN("io faults");

LARIAT_BACKEND_TEST_CASE("sockets cannot be opened while there are no descriptors, memory or buffers") {
    World world(faulty(backend_kind, io::FaultPlan()));
    io::FaultBackend& backend = faults_of(*world);
    for (const auto& [fault, error] : {std::pair{Fault::no_descriptors, EMFILE}, std::pair{Fault::no_memory, ENOMEM},
                                       std::pair{Fault::no_buffers, ENOBUFS}}) {
        backend.set_plan(io::FaultPlan().rate(fault, 1000));
        CHECK(world.open() == -error);
        CHECK(backend.counts()[fault] == 1);
    }
    backend.set_plan(io::FaultPlan());
    CHECK(world.open() >= 0);
    CHECK(world->ledger().descriptors == 1);
}

LARIAT_BACKEND_TEST_CASE("an accept that runs out of descriptors ends, and loses no connection") {
    FaultyListener listener(backend_kind, io::FaultPlan().rate(Fault::no_descriptors, 300));
    std::vector<std::unique_ptr<Connecting>> clients;
    std::size_t accepted = 0, failed = 0;
    Accepting accept(listener.world, listener.fd);
    accept.then = [&](io::Completion& completion) {
        if (completion.result >= 0) {
            ++accepted;
        } else {
            ++failed;
            CHECK(completion.result == -EMFILE);
        }
        CHECK(completion.more == (completion.result >= 0));
    };
    for (std::size_t i = 1; i <= 30; ++i) {
        clients.push_back(listener.client());
        clients.back()->submit();
        listener.world.pump_until([&] {
            if (!accept.op.in_flight()) accept.submit();
            return accepted == i && clients.back()->over;
        });
        CHECK(clients.back()->last() == 0);
    }
    listener.world.pump(5);
    CHECK(accepted == 30);
    CHECK(failed > 3);
    CHECK(listener.count(Fault::no_descriptors) == failed);
    accept.then = {};
}

LARIAT_BACKEND_TEST_CASE("connections that are gone before they are accepted do not end an accept") {
    FaultyListener listener(backend_kind, io::FaultPlan().rate(Fault::aborted_accept, 1000));
    Accepting accept(listener.world, listener.fd);
    accept.submit();
    listener.connect_one();
    listener.world.pump_until([&] { return accept.last() >= 0 && accept.results.size() > 0; });
    listener.plan(io::FaultPlan().rate(Fault::aborted_accept, 1000));
    const std::size_t before = accept.results.size();
    auto client = listener.client();
    client->submit();
    listener.world.pump_until([&] { return accept.results.size() == before + 2; });
    CHECK(accept.results[before] == -ECONNABORTED);
    CHECK(accept.results[before + 1] >= 0);
    CHECK_FALSE(accept.over);
    CHECK(listener.backend().try_accept(listener.fd) == -ECONNABORTED);
    client->wait();
}

LARIAT_BACKEND_TEST_CASE("try_accept finds nothing in a storm, and the connection after it") {
    FaultyListener listener(backend_kind, io::FaultPlan());
    listener.connect_one();
    listener.plan(io::FaultPlan().rate(Fault::again_storm, 1000).storm(3));
    CHECK(listener.backend().try_accept(listener.fd) == -EAGAIN);
    listener.plan(io::FaultPlan());
    int accepted = -EAGAIN;
    listener.world.spin_until([&] {
        accepted = listener.backend().try_accept(listener.fd);
        return accepted != -EAGAIN;
    });
    CHECK(listener.world.keep(accepted) >= 0);
    CHECK(listener.count(Fault::again_storm) >= 1);
    CHECK(listener.count(Fault::again_storm) <= 3);
    listener.plan(io::FaultPlan().rate(Fault::no_memory, 1000));
    CHECK(listener.backend().try_accept(listener.fd) == -ENOMEM);
}

LARIAT_BACKEND_TEST_CASE("a connect that finds no memory fails and leaves a socket that can be used again") {
    FaultyListener listener(backend_kind, io::FaultPlan().rate(Fault::no_memory, 1000));
    auto connect = listener.client();
    connect->submit();
    CHECK(connect->results.empty());
    connect->wait();
    CHECK(connect->results == Results{-ENOMEM});
    listener.plan(io::FaultPlan());
    connect->submit();
    connect->wait();
    CHECK(connect->last() == 0);
}

LARIAT_BACKEND_TEST_CASE("a multishot accept that ends below goes on for its user") {
    FaultyListener listener(backend_kind, io::FaultPlan().rate(Fault::multishot_end, 1000));
    Accepting accept(listener.world, listener.fd);
    accept.submit();
    std::vector<std::unique_ptr<Connecting>> clients;
    for (std::size_t i = 1; i <= 10; ++i) {
        clients.push_back(listener.client());
        clients.back()->submit();
        listener.world.pump_until([&] { return accept.results.size() == i; });
        CHECK(accept.last() >= 0);
    }
    for (auto& client : clients) client->wait();
    CHECK_FALSE(accept.over);
    CHECK(listener.count(Fault::multishot_end) >= 9);
    accept.cancel_and_wait();
    CHECK(accept.results.size() == 11);
    CHECK(accept.last() == -ECANCELED);
}

LARIAT_BACKEND_TEST_CASE("an operation that is cancelled while it waits for a place never reaches the kernel") {
    FaultyListener listener(backend_kind, io::FaultPlan().rate(Fault::late_submission, 1000));
    const std::uint64_t before = listener.backend().below().statistics().submissions;
    Accepting accept(listener.world, listener.fd);
    accept.submit();
    CHECK(listener.backend().ledger().operations == 1);
    accept.cancel();
    CHECK(accept.results.empty());
    CHECK(accept.op.in_flight());
    accept.wait();
    CHECK(accept.results == Results{-ECANCELED});
    CHECK(listener.backend().below().statistics().submissions == before);
    CHECK(listener.backend().statistics().queue_full > 0);
}

LARIAT_BACKEND_TEST_CASE("a late cancellation comes, and only once") {
    FaultyListener listener(backend_kind, io::FaultPlan().rate(Fault::late_cancel, 1000).turns(5));
    Accepting accept(listener.world, listener.fd);
    accept.submit();
    listener.world.pump(2);
    accept.cancel();
    accept.cancel();
    CHECK(accept.op.cancel_requested());
    accept.wait();
    CHECK(accept.results == Results{-ECANCELED});
    CHECK(listener.count(Fault::late_cancel) == 1);
    accept.cancel();  // idle: nothing happens
    listener.world.pump(10);
    CHECK(accept.results.size() == 1);
}

LARIAT_BACKEND_TEST_CASE("a cancellation that loses its race finds a result, and one without a race wins in the end") {
    FaultyListener listener(backend_kind, io::FaultPlan().rate(Fault::lost_cancel, 1000).turns(200));
    Accepting accept(listener.world, listener.fd);
    accept.submit();
    auto client = listener.client();
    client->submit();
    client->cancel();
    client->wait();
    CHECK(client->results == Results{0});
    CHECK(listener.count(Fault::lost_cancel) >= 1);
    listener.world.pump_until([&] { return accept.results.size() == 1; });
    listener.plan(io::FaultPlan().rate(Fault::lost_cancel, 1000));
    const std::uint64_t before = listener.count(Fault::lost_cancel);
    accept.cancel_and_wait();
    CHECK(accept.last() == -ECANCELED);
    CHECK(listener.count(Fault::lost_cancel) == before);
}

LARIAT_BACKEND_TEST_CASE("what arrives during a cancellation that loses its race is delivered before the end") {
    FaultyListener listener(backend_kind, io::FaultPlan().rate(Fault::lost_cancel, 1000).turns(200));
    Accepting accept(listener.world, listener.fd);
    accept.submit();
    accept.cancel();
    auto client = listener.client();
    client->submit();
    accept.wait();
    REQUIRE(accept.results.size() == 2);
    CHECK(accept.results[0] >= 0);
    CHECK(accept.results[1] == -ECANCELED);
    CHECK(listener.count(Fault::lost_cancel) == 1);
    client->wait();
}

LARIAT_BACKEND_TEST_CASE("a completion that comes twice is delivered once; the loop was woken for nothing") {
    FaultyListener listener(backend_kind, io::FaultPlan().rate(Fault::repeated_completion, 1000));
    Accepting accept(listener.world, listener.fd);
    accept.submit();
    auto client = listener.client();
    client->submit();
    bool woken_for_nothing = false;
    for (int turn = 0; turn < 1000 && listener.count(Fault::repeated_completion) < 2; ++turn) {
        listener.world->wait(listener.world->now() + std::chrono::milliseconds(20));
        while (listener.world->has_completions()) {
            woken_for_nothing = listener.world->dispatch(1) == 0 || woken_for_nothing;
        }
    }
    CHECK(woken_for_nothing);
    listener.world.pump(20);
    CHECK(client->results == Results{0});
    CHECK(accept.results.size() == 1);
    CHECK(accept.last() >= 0);
}

LARIAT_BACKEND_TEST_CASE("a second copy of a completion does not reach the operation that took the first one's place") {
    FaultyListener listener(backend_kind, io::FaultPlan().rate(Fault::repeated_completion, 1000));
    Polling poll(listener.world, listener.fd);
    poll.op.events = POLLIN;
    for (std::size_t round = 1; round <= 50; ++round) {
        poll.submit();
        poll.cancel();
        listener.world.pump_until([&] { return poll.results.size() == round; });
        REQUIRE(poll.last() == -ECANCELED);
    }
    listener.world.pump(20);
    CHECK(poll.results.size() == 50);
    CHECK(listener.count(Fault::repeated_completion) == 50);
}

LARIAT_BACKEND_TEST_CASE("completions overtake those of other descriptors, never their own") {
    FaultyListener listener(backend_kind, io::FaultPlan(9).rate(Fault::reordered_completion, 500));
    std::vector<int> order;
    std::vector<std::unique_ptr<Polling>> polls;
    std::vector<int> sockets;
    for (int i = 0; i < 20; ++i) sockets.push_back(listener.world.open());
    // Two polls on each socket; cancelled in the order of submission, so they end in that order.
    for (int i = 0; i < 40; ++i) {
        polls.push_back(std::make_unique<Polling>(listener.world, sockets[static_cast<std::size_t>(i / 2)]));
        polls.back()->op.events = POLLPRI;
        polls.back()->then = [&order, i](io::Completion&) { order.push_back(i); };
        polls.back()->submit();
    }
    for (const auto& poll : polls) poll->cancel();
    listener.world.pump_until([&] { return order.size() == 40; });
    CHECK(listener.count(Fault::reordered_completion) > 0);
    CHECK_FALSE(std::ranges::is_sorted(order));
    for (int i = 0; i < 40; i += 2) CHECK(std::ranges::find(order, i) < std::ranges::find(order, i + 1));
}

LARIAT_BACKEND_TEST_CASE("wait() may return early without a cause, and its operations are untouched") {
    FaultyListener listener(backend_kind, io::FaultPlan().rate(Fault::early_wake, 1000));
    Accepting accept(listener.world, listener.fd);
    accept.submit();
    listener.world.pump(2);
    const std::uint64_t before = listener.count(Fault::early_wake);
    listener.world->wait(never);  // nothing will ever happen
    CHECK(listener.count(Fault::early_wake) == before + 1);
    CHECK_FALSE(listener.world->has_completions());
    CHECK(accept.results.empty());
}

LARIAT_BACKEND_TEST_CASE("a poll may say that a socket is ready when it is not") {
    FaultyListener listener(backend_kind, io::FaultPlan().rate(Fault::false_readiness, 1000));
    Polling poll(listener.world, listener.fd);
    poll.op.events = POLLIN;
    poll.submit();
    CHECK(poll.results.empty());
    poll.wait();
    CHECK(poll.results == Results{POLLIN});
    CHECK(listener.world->try_accept(listener.fd) == -EAGAIN);
    listener.plan(io::FaultPlan());
    poll.submit();
    listener.world.pump(5);
    CHECK_FALSE(poll.over);
    poll.cancel_and_wait();
}

// A poll's descriptor belongs to the user, who may close it when the cancellation was asked for.
LARIAT_KERNEL_TEST_CASE("a cancelled poll does not keep its descriptor's number") {
    World world(faulty(backend_kind, io::FaultPlan(2).disturb(300)));
    for (int round = 0; round < 100; ++round) {
        SocketPair pair = unix_pair();
        const int number = pair.ours.get();
        Polling poll(world, number);
        poll.op.events = POLLIN;
        poll.submit();
        world.pump(round % 4);
        poll.cancel();
        pair.ours.reset();
        pair = unix_pair();  // takes the lowest numbers, the same ones again
        CHECK(pair.ours.get() == number);
        const int fd = world.adopt(std::move(pair.ours));
        Receiving receive(world, fd);
        receive.submit();
        write_all(pair.theirs.get(), "mine");
        world.pump_until([&] { return receive.bytes == "mine" && !poll.op.in_flight(); });
        receive.cancel_and_wait();
        world.close(fd);
    }
}

LARIAT_BACKEND_TEST_CASE("every kind of operation ends under every fault, cancelled at any moment") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        FaultyListener listener(backend_kind, io::FaultPlan(seed).disturb(300));
        Random random(seed);
        Accepting accept(listener.world, listener.fd);
        Polling poll(listener.world, listener.fd);
        poll.op.events = POLLIN;
        std::vector<std::unique_ptr<Connecting>> clients;
        accept.submit();
        for (int i = 0; i < 10; ++i) {
            clients.push_back(listener.client());
            clients.back()->submit();
            if (!poll.op.in_flight()) poll.submit();
            listener.world.pump(static_cast<int>(random.below(4)));
            if (random.chance(400)) clients[random.below(clients.size())]->cancel();
            if (random.chance(300)) poll.cancel();
        }
        for (const auto& client : clients) {
            if (client->op.in_flight()) client->wait();
            REQUIRE(client->results.size() == 1);
            CHECK((client->last() == 0 || client->last() == -ECANCELED));
        }
        accept.cancel_and_wait();
        if (poll.op.in_flight()) poll.cancel_and_wait();
        CHECK(listener.world->ledger().operations == 0);
    }
}

TEST_CASE("every fault has a name of its own") {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < io::fault_kinds; ++i) names.insert(to_string(static_cast<Fault>(i)));
    CHECK(names.size() == io::fault_kinds);
    CHECK_FALSE(names.contains("unknown"));
}

TEST_SUITE_END();
