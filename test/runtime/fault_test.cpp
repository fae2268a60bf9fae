// SPDX-License-Identifier: MIT
// Connections, acceptors, attempts to connect and watched descriptors on a backend with faults.
#include <lariat/runtime/acceptor.hpp>
#include <lariat/runtime/connect_attempt.hpp>
#include <lariat/runtime/connection.hpp>
#include <lariat/runtime/fault_names.hpp>
#include <lariat/runtime/resolver.hpp>
#include <lariat/test/support/backends.hpp>
#include <lariat/test/support/connection_world.hpp>
#include <lariat/test/support/descriptors.hpp>
#include <lariat/test/support/faults.hpp>
#include <lariat/test/support/io_world.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <optional>
#include <string>
#include <vector>

using namespace lariat;
using namespace lariat::test;
using io::Fault;

namespace {

/// A client that sends a text and then the end, and a server that gives it all back and then closes. Both pause and
/// resume reading at random moments, each time once: a receive that is not armed again stays so.
class Conversation {
public:
    Conversation(ConnectionWorld& world, std::string text, std::uint64_t seed) : text_(std::move(text)), random_(seed) {
        far_.on_data = [this] { answer(); };
        far_.on_end = [this] { far_.connection->close(); };
        near_.on_end = [this] { near_.connection->close(); };
        world.connect(near_, far_);
        near_.connection->start_reading();
        far_.connection->start_reading();
    }

    void step() {
        for (RecordingUser* user : {&near_, &far_}) {
            if (user->is_closed || !user->connection->is_open()) continue;
            if (!user->connection->is_reading()) {
                if (random_.chance(500)) user->connection->start_reading();
            } else if (pauses_ > 0 && random_.chance(500)) {
                --pauses_;
                user->connection->pause_reading();
            }
        }
        if (near_.is_closed || ended_) return;
        const std::size_t size = std::min<std::size_t>(random_.between(1, 2000), text_.size() - sent_);
        near_.connection->write(Bytes(std::string_view(text_).substr(sent_, size)));
        sent_ += size;
        if (sent_ < text_.size()) return;
        ended_ = true;
        near_.connection->shutdown_write();
    }
    [[nodiscard]] bool over() const { return near_.is_closed && far_.is_closed; }
    /// All of it arrived, once, and each user was told of the end once and of nothing after it.
    void check() const {
        CHECK(far_.text == text_);
        CHECK(near_.text == text_);
        for (const RecordingUser* user : {&near_, &far_}) {
            CHECK(user->error() == 0);
            CHECK(std::ranges::count(user->log, "end") == 1);
            CHECK(std::ranges::count(user->log, "closed:0") == 1);
            CHECK(user->log.back() == "closed:0");
        }
    }

private:
    void answer() {
        far_.connection->write(Bytes(std::string_view(far_.text).substr(answered_)));
        answered_ = far_.text.size();
    }

    std::string text_;
    Random random_;
    RecordingUser near_, far_;
    std::size_t sent_ = 0;
    std::size_t answered_ = 0;
    bool ended_ = false;
    unsigned pauses_ = static_cast<unsigned>(random_.below(30));
};

void converse(ConnectionWorld& world, std::uint64_t seed, std::uint32_t count) {
    std::deque<Conversation> conversations;
    for (std::uint32_t i = 0; i < count; ++i) conversations.emplace_back(world, pattern(20'000, i + 1), seed + i);
    world.turn_until([&] {
        bool all = true;
        for (Conversation& conversation : conversations) {
            conversation.step();
            all = all && conversation.over();
        }
        return all;
    });
    for (const Conversation& conversation : conversations) conversation.check();
}

/// Answers every query inside the call, and counts them.
struct PromptNames final : NameResolver {
    void look_up(const Query& query, Answer answer) override {
        ++queries;
        answer({{*Address::from_host("127.0.0.1", query.port)}, {}});
    }
    int queries = 0;
};

io::FaultBackend& faults_of(ConnectionWorld& world) { return test::faults_of(world.reactor.backend()); }

}  // namespace

TEST_SUITE_BEGIN("runtime faults");

LARIAT_BACKEND_TEST_CASE("connections echo every byte under each fault and under all of them") {
    for (const Disturbance& disturbance : each_and_all(stream_faults())) {
        CAPTURE(disturbance.name());
        ConnectionWorld world(faulty(backend_kind, disturbance.plan(200)));
        converse(world, 1, 6);
        CHECK(disturbance.missing(faults_of(world).counts()) == "");
    }
}

LARIAT_BACKEND_TEST_CASE("connections echo every byte under every fault, whatever the seed") {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        CAPTURE(seed);
        ConnectionWorld world(faulty(backend_kind, io::FaultPlan(seed).disturb(static_cast<unsigned>(40 * seed))));
        converse(world, seed, 3);
    }
}

LARIAT_KERNEL_TEST_CASE("connections echo every byte under every fault through tiny queues and few buffers") {
    const io::BackendOptions tiny =
        io::BackendOptions().submission_entries(4).completion_entries(8).receive_buffers(2).receive_buffer_size(256);
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        CAPTURE(seed);
        ConnectionWorld world(faulty(backend_kind, io::FaultPlan(seed).disturb(100), tiny));
        converse(world, seed, 6);
        CHECK(world.reactor.backend().statistics().pool_exhausted > 0);
        CHECK(world.reactor.backend().statistics().queue_full > 0);
    }
}

LARIAT_BACKEND_TEST_CASE("connections whose transfers fail are told once, and leave nothing behind") {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        CAPTURE(seed);
        ConnectionWorld world(faulty(backend_kind, io::FaultPlan(seed)));
        std::deque<RecordingUser> users(12);
        for (std::size_t i = 0; i < users.size(); i += 2) world.connect(users[i], users[i + 1]);
        faults_of(world).set_plan(io::FaultPlan(seed).disturb(100).rate(Fault::failed_transfer, 150));
        for (RecordingUser& user : users) user.connection->start_reading();
        const std::string text = pattern(500);
        world.turn_until([&] {
            bool all = true;
            for (RecordingUser& user : users) {
                if (user.is_closed) continue;
                all = false;
                user.connection->write(Bytes(text));
                if (std::ranges::count(user.log, "end") > 0) user.connection->close();
            }
            return all;
        });
        CHECK(faults_of(world).counts()[Fault::failed_transfer] > 0);
        for (const RecordingUser& user : users) {
            CHECK((user.error() == ENOMEM || user.error() == ECONNRESET || user.error() == EPIPE || user.error() == 0));
            CHECK(user.log.back() == "closed:" + std::to_string(user.error()));
            CHECK(std::ranges::count_if(user.log, [](const std::string& word) { return word.starts_with("closed"); })
                  == 1);
            std::string expected;
            while (expected.size() < user.text.size()) expected += text;
            CHECK(expected.starts_with(user.text));
        }
    }
}

LARIAT_BACKEND_TEST_CASE("connections aborted at any moment of a disturbed exchange are told once") {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        CAPTURE(seed);
        ConnectionWorld world(faulty(backend_kind, io::FaultPlan(seed).disturb(250)));
        Random random(seed);
        std::deque<RecordingUser> users(8);
        for (std::size_t i = 0; i < users.size(); i += 2) world.connect(users[i], users[i + 1]);
        for (RecordingUser& user : users) {
            if (random.chance(800)) user.connection->start_reading();
        }
        const std::string text = pattern(30'000);
        world.turn_until([&] {
            bool all = true;
            for (RecordingUser& user : users) {
                if (user.is_closed) continue;
                all = false;
                switch (random.below(12)) {
                case 0: user.connection->abort(); break;
                case 1: user.connection->close(); break;
                case 2: user.connection->disconnect(ETIMEDOUT); break;
                case 3: user.connection->pause_reading(); break;
                case 4: user.connection->start_reading(); break;
                default: user.connection->write(Bytes(text)); break;
                }
            }
            return all;
        });
        for (const RecordingUser& user : users) CHECK(user.log.back() == "closed:" + std::to_string(user.error()));
    }
}

LARIAT_BACKEND_TEST_CASE("an acceptor outlives every shortage and aborted connection, and takes whoever comes then") {
    ConnectionWorld world(faulty(backend_kind, io::FaultPlan(3)));
    io::FaultBackend& faults = faults_of(world);
    for (const auto& [fault, error] :
         {std::pair{Fault::no_descriptors, EMFILE}, std::pair{Fault::no_memory, ENOMEM},
          std::pair{Fault::no_buffers, ENOBUFS}, std::pair{Fault::aborted_accept, ECONNABORTED}}) {
        CAPTURE(to_string(fault));
        RecordingUser near, far, later_near, later_far;
        const std::size_t told = world.errors.size();
        ConnectAttempt attempt;
        int connected = 0;
        REQUIRE(attempt.start(world.reactor, world.acceptor.local_address(), {}, [&](int fd) { connected = fd; }) == 0);
        faults.set_plan(io::FaultPlan(3).rate(fault, 1000));
        // The connection that is there is delivered before the accept ends, and the end is told.
        world.turn_until([&] { return world.errors.size() > told && connected != 0; });
        faults.set_plan(io::FaultPlan(3));
        CHECK(world.errors[told] == error);
        CHECK(faults.counts()[fault] > 0);
        if (connected > 0) world.reactor.backend().close(connected);
        for (const int fd : std::exchange(world.accepted, {})) world.reactor.backend().close(fd);
        world.connect(later_near, later_far);
        later_far.connection->start_reading();
        later_near.connection->write("still here");
        world.turn_until([&] { return later_far.text == "still here"; });
        later_near.connection->abort();
        later_far.connection->abort();
        world.turn_until([&] { return later_near.is_closed && later_far.is_closed; });
    }
}

LARIAT_BACKEND_TEST_CASE("an attempt that is cancelled and succeeds all the same closes what it got") {
    ConnectionWorld world(faulty(backend_kind, io::FaultPlan(4).rate(Fault::lost_cancel, 1000).turns(200)));
    const std::size_t before = world.reactor.backend().ledger().descriptors;
    bool called = false;
    {
        ConnectAttempt attempt;
        REQUIRE(attempt.start(world.reactor, world.acceptor.local_address(), {}, [&](int) { called = true; }) == 0);
    }
    world.turn_until([&] { return !world.accepted.empty(); });
    world.turn_until([&] { return world.reactor.backend().ledger().descriptors == before + 1; });
    CHECK(faults_of(world).counts()[Fault::lost_cancel] >= 1);
    CHECK_FALSE(called);
}

LARIAT_BACKEND_TEST_CASE("an attempt without memory for it is told so and leaves no descriptor") {
    ConnectionWorld world(faulty(backend_kind, io::FaultPlan()));
    const std::size_t before = world.reactor.backend().ledger().descriptors;
    std::vector<int> results;
    ConnectAttempt attempt;
    const auto start = [&] {
        return attempt.start(world.reactor, world.acceptor.local_address(), {}, [&](int r) { results.push_back(r); });
    };
    REQUIRE(start() == 0);
    world.turn_until([&] { return results.size() == 1; });
    world.reactor.backend().close(results[0]);
    world.turn_until([&] { return world.accepted.size() == 1; });
    // The socket is opened in spite of the shortage in some of the attempts, so that both places fail.
    faults_of(world).set_plan(io::FaultPlan(8).rate(Fault::no_memory, 500));
    int not_started = 0;
    while (not_started == 0 || std::ranges::count(results, -ENOMEM) == 0) {
        const std::size_t ended = results.size();
        if (const int result = start(); result != 0) {
            CHECK(result == -ENOMEM);
            ++not_started;
            continue;
        }
        world.turn_until([&] { return results.size() > ended; });
        if (results.back() >= 0) world.reactor.backend().close(results.back());
    }
    faults_of(world).set_plan(io::FaultPlan());
    for (const int fd : std::exchange(world.accepted, {})) world.reactor.backend().close(fd);
    world.turn_until([&] {
        for (const int fd : std::exchange(world.accepted, {})) world.reactor.backend().close(fd);
        return world.reactor.backend().ledger().descriptors == before;
    });
}

// Descriptors of a user's own come and go while polls of them are late, cancelled and wrong.
LARIAT_KERNEL_TEST_CASE("watched descriptors survive readiness that is not true") {
    Reactor reactor(faulty(backend_kind, io::FaultPlan(5).disturb(300)));
    const io::FaultCounts& counts = test::faults_of(reactor.backend()).counts();
    Random random(5);
    for (int round = 0; round < 40; ++round) {
        Pipe pipe;
        WatchedPipe watched(pipe.read_end());
        std::string got;
        watched.on_read = [&]() -> Failure {
            got += pipe.take();
            return {};
        };
        reactor.add_reader(watched);
        for (std::uint64_t i = random.below(4); i > 0; --i) reactor.iterate();
        const bool wanted = random.chance(700);
        if (!wanted) {
            reactor.remove_reader(watched);
            continue;
        }
        pipe.put("message");
        const TimePoint end = reactor.now() + std::chrono::seconds(20);
        while (got != "message") {
            REQUIRE(reactor.now() < end);
            reactor.iterate(std::chrono::milliseconds(5));
        }
        CHECK(watched.lost.empty());
    }
    CHECK(counts[Fault::false_readiness] > 0);
}

TEST_CASE("slow answers hold up names and threads of a simulated host, for as long as the plan says at most") {
    const auto time_of_lookup = [](const io::FaultPlan& plan) {
        Reactor reactor(faulty(io::BackendKind::sim, plan));
        std::optional<TimePoint> answered;
        const TimePoint begin = reactor.now();
        const ResolveRequest request = reactor.resolver().resolve(
            "localhost", 80, ResolveOptions().timeout(std::chrono::hours(2)), [&](ResolveResult result) {
                CHECK(result);
                answered = reactor.now();
            });
        while (!answered) reactor.iterate(std::chrono::hours(1));
        return *answered - begin;
    };
    CHECK(time_of_lookup(io::FaultPlan()) < std::chrono::milliseconds(5));
    io::FaultPlan slow = io::FaultPlan(1).rate(Fault::slow_answer, 1000).slowness(std::chrono::hours(1));
    CHECK(time_of_lookup(slow) > std::chrono::seconds(1));
    CHECK(time_of_lookup(slow) < std::chrono::minutes(61));
}

LARIAT_BACKEND_TEST_CASE("slow names are answered once, in any order, and those nobody waits for not at all") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    const auto prompt = std::make_shared<PromptNames>();
    reactor.install_name_resolver(prompt);
    const auto names = FaultNames::install(
        reactor, io::FaultPlan(1).rate(Fault::slow_answer, 500).slowness(std::chrono::milliseconds(5)));
    std::vector<int> answers(30);
    std::vector<int> order;
    std::vector<ResolveRequest> requests;
    for (int i = 0; i < 30; ++i) {
        requests.push_back(reactor.resolver().resolve("name.test", 80, {}, [&, i](ResolveResult result) {
            CHECK(result);
            ++answers[static_cast<std::size_t>(i)];
            order.push_back(i);
        }));
    }
    for (std::size_t i = 0; i < 30; i += 3) requests[i].cancel();
    const TimePoint end = reactor.now() + std::chrono::seconds(20);
    while (prompt->queries < 30 || order.size() < 20) {
        REQUIRE(reactor.now() < end);
        reactor.iterate(std::chrono::milliseconds(1));
    }
    for (std::size_t i = 0; i < 30; ++i) CHECK(answers[i] == (i % 3 == 0 ? 0 : 1));
    CHECK_FALSE(std::ranges::is_sorted(order));
    CHECK(names->counts()[Fault::slow_answer] > 0);
    CHECK(names->counts()[Fault::slow_answer] < 30);
}

LARIAT_BACKEND_TEST_CASE("a name that is slower than the timeout fails, and the reactor may end before the answer") {
    const auto prompt = std::make_shared<PromptNames>();
    std::string outcome;
    {
        Reactor reactor(ReactorOptions().backend(backend_kind));
        reactor.install_name_resolver(prompt);
        FaultNames::install(reactor,
                            io::FaultPlan(1).rate(Fault::slow_answer, 1000).slowness(std::chrono::hours(1000)));
        const ResolveRequest request =
            reactor.resolver().resolve("name.test", 80, ResolveOptions().timeout(std::chrono::milliseconds(1)),
                                       [&](ResolveResult result) { outcome = result.failure.error_message(); });
        const TimePoint end = reactor.now() + std::chrono::seconds(20);
        while (outcome.empty()) {
            REQUIRE(reactor.now() < end);
            reactor.iterate(std::chrono::milliseconds(5));
        }
    }
    CHECK(outcome.find("timeout error") != std::string::npos);
    CHECK(prompt->queries == 0);
}

TEST_SUITE_END();
