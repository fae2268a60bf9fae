// SPDX-License-Identifier: MIT
// Streams under faults, driven by operations alone: what is sent arrives, whole and in order, whatever the backend
// does in between that a kernel may do.
#include <lariat/test/support/backends.hpp>
#include <lariat/test/support/faults.hpp>
#include <lariat/test/support/io_world.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <limits>

using namespace lariat;
using namespace lariat::test;
using io::Fault;

namespace {

/// One direction of a connection: a sender that falls back to a SendOp as connections do, and a receiver that is
/// cancelled and submitted again all the time.
class Flow {
public:
    Flow(World& world, int from, int to, std::string text, std::uint64_t seed)
        : world_(world), text_(std::move(text)), random_(seed), send_(world, from), receive_(world, to) {
        send_.then = [this](io::Completion& completion) {
            if (completion.result > 0) sent_ += static_cast<std::size_t>(completion.result);
            CHECK(completion.result != 0);
            CHECK_FALSE(completion.more);
        };
        receive_.then = [this](io::Completion& completion) {
            CHECK((completion.result > 0 || completion.result == -ECANCELED));
            CHECK(completion.more == receive_.op.in_flight());
            if (completion.more && !receive_.op.cancel_requested() && random_.chance(200)) receive_.cancel();
        };
        receive_.submit();
    }

    void step() {
        if (!receive_.op.in_flight()) receive_.submit();
        if (send_.op.in_flight()) {
            if (!send_.op.cancel_requested() && random_.chance(100)) send_.cancel();
        } else if (sent_ < text_.size()) {
            advance();
        }
    }
    [[nodiscard]] bool done() const { return sent_ == text_.size() && receive_.bytes.size() >= text_.size(); }
    [[nodiscard]] bool intact() const { return receive_.bytes == text_; }

private:
    void advance() {
        const std::size_t size = std::min<std::size_t>(random_.between(1, 500), text_.size() - sent_);
        const std::string_view piece = std::string_view(text_).substr(sent_, size);
        iovec parts[2] = {{const_cast<char*>(piece.data()), size / 2},
                          {const_cast<char*>(piece.data()) + size / 2, size - size / 2}};
        const std::ptrdiff_t taken = world_->try_send(send_.op.fd, parts);
        REQUIRE((taken > 0 || taken == -EAGAIN));
        if (taken > 0) sent_ += static_cast<std::size_t>(taken);
        if (taken == static_cast<std::ptrdiff_t>(size)) return;
        const std::size_t left = std::min<std::size_t>(random_.between(1, 1000), text_.size() - sent_);
        set_parts(send_.op, std::string_view(text_).substr(sent_, left), 100);
        send_.submit();
    }

    World& world_;
    std::string text_;
    Random random_;
    std::size_t sent_ = 0;
    Sending send_;
    Receiving receive_;
};

/// Connected sockets, both ends on the backend; faults begin when they are there.
std::pair<int, int> connected_pair(World& world, int listener) {
    Accepting accept(world, listener);
    accept.submit();
    Connecting connect(world, world.open());
    connect.op.address = world.address_of(listener);
    connect.submit();
    connect.wait();
    REQUIRE(connect.last() == 0);
    world.pump_until([&] { return !accept.results.empty(); });
    REQUIRE(accept.results[0] >= 0);
    return {connect.op.fd, accept.results[0]};
}

void exchange(World& world, const io::FaultPlan& plan) {
    io::FaultBackend& backend = faults_of(*world);
    backend.set_plan(io::FaultPlan(plan.seed()));
    const int listener = world.listen();
    std::deque<Flow> flows;
    for (std::uint32_t i = 0; i < 6; ++i) {
        const auto [near, far] = connected_pair(world, listener);
        flows.emplace_back(world, near, far, pattern(20'000, 2 * i), plan.seed() + i);
        flows.emplace_back(world, far, near, pattern(15'000, 2 * i + 1), plan.seed() + 100 + i);
    }
    backend.set_plan(plan);
    world.spin_until([&] {
        bool all = true;
        for (Flow& flow : flows) {
            flow.step();
            all = all && flow.done();
        }
        return all;
    });
    world.pump(20);  // whatever was invented would come now
    for (const Flow& flow : flows) CHECK(flow.intact());
}

}  // namespace

TEST_SUITE_BEGIN("io faults");

LARIAT_BACKEND_TEST_CASE("no byte of a stream is lost, invented or moved by any fault") {
    for (const Disturbance& disturbance : each_and_all(stream_faults())) {
        CAPTURE(disturbance.name());
        World world(faulty(backend_kind, disturbance.plan(200)));
        exchange(world, disturbance.plan(200));
        CHECK(disturbance.missing(faults_of(*world).counts()) == "");
    }
}

LARIAT_KERNEL_TEST_CASE("no byte of a stream is lost when queues and buffers are tiny as well") {
    const io::BackendOptions tiny =
        io::BackendOptions().submission_entries(4).completion_entries(8).receive_buffers(4).receive_buffer_size(128);
    const io::FaultPlan plan = io::FaultPlan(7).disturb(100);
    World world(faulty(backend_kind, plan, tiny));
    exchange(world, plan);
    CHECK(world->statistics().pool_exhausted > 0);
}

LARIAT_BACKEND_TEST_CASE("streams survive every fault at once, whatever the seed") {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        CAPTURE(seed);
        const io::FaultPlan plan = io::FaultPlan(seed).disturb(static_cast<unsigned>(40 * seed));
        World world(faulty(backend_kind, plan));
        exchange(world, plan);
    }
}

LARIAT_BACKEND_TEST_CASE("short reads go down to one byte, and pieces may come in later turns") {
    World world(faulty(backend_kind, io::FaultPlan(3)));
    const auto [near, far] = connected_pair(world, world.listen());
    faults_of(*world).set_plan(io::FaultPlan(3).rate(Fault::short_read, 1000));
    Receiving receive(world, far);
    receive.submit();
    iovec part{const_cast<char*>("0123456789abcdef"), 16};
    REQUIRE(world->try_send(near, {&part, 1}) == 16);
    world.pump_until([&] { return receive.bytes.size() == 16; });
    CHECK(receive.bytes == "0123456789abcdef");
    CHECK(receive.results.size() > 2);
    CHECK(std::ranges::count(receive.results, 1) > 0);
    CHECK(faults_of(*world).counts()[Fault::short_read] >= receive.results.size() - 1);
}

LARIAT_BACKEND_TEST_CASE("try_send takes a part, or nothing in a storm that ends") {
    World world(faulty(backend_kind, io::FaultPlan(4)));
    const auto [near, far] = connected_pair(world, world.listen());
    iovec parts[3] = {{const_cast<char*>("ab"), 2}, {const_cast<char*>("cde"), 3}, {const_cast<char*>("f"), 1}};
    faults_of(*world).set_plan(io::FaultPlan().rate(Fault::short_write, 1000));
    const std::ptrdiff_t taken = world->try_send(near, parts);
    CHECK(taken >= 1);
    CHECK(taken < 6);
    Receiving receive(world, far);
    receive.submit();
    world.pump_until([&] { return receive.bytes.size() == static_cast<std::size_t>(taken); });
    CHECK(receive.bytes == std::string("abcdef").substr(0, static_cast<std::size_t>(taken)));

    faults_of(*world).set_plan(io::FaultPlan().rate(Fault::again_storm, 1000).storm(5));
    CHECK(world->try_send(near, parts) == -EAGAIN);
    faults_of(*world).set_plan(io::FaultPlan());
    int refused = 1;
    while (world->try_send(near, parts) == -EAGAIN) ++refused;
    CHECK(refused <= 5);
    CHECK(faults_of(*world).counts()[Fault::again_storm] == static_cast<std::uint64_t>(refused));

    faults_of(*world).set_plan(io::FaultPlan().rate(Fault::no_buffers, 1000));
    CHECK(world->try_send(near, parts) == -EAGAIN);  // as the backends on a kernel say it
    CHECK(world->statistics().sends_refused == static_cast<std::uint64_t>(refused) + 1);
}

LARIAT_BACKEND_TEST_CASE("a send that a fault divides says how much was sent, and leaves its parts alone") {
    World world(faulty(backend_kind, io::FaultPlan(5)));
    const auto [near, far] = connected_pair(world, world.listen());
    faults_of(*world).set_plan(io::FaultPlan().rate(Fault::short_write, 1000));
    const std::string text = pattern(10'000);
    Receiving receive(world, far);
    receive.submit();
    Sending send(world, near);
    bool cut = false;
    for (std::size_t sent = 0; sent < text.size();) {
        const std::string_view rest = std::string_view(text).substr(sent);
        set_parts(send.op, rest, 300);
        const std::uint32_t count = send.op.part_count;
        send.submit();
        send.wait();
        REQUIRE(send.last() > 0);
        CHECK(send.op.part_count == count);
        CHECK(send.op.parts[0].iov_base == rest.data());
        cut = cut || static_cast<std::size_t>(send.last()) < rest.size();
        sent += static_cast<std::size_t>(send.last());
    }
    CHECK(cut);
    world.pump_until([&] { return receive.bytes.size() == text.size(); });
    CHECK(receive.bytes == text);
}

// Goal: a reset is not taken for an end of the stream. Method: it comes while a send is under way, which then says only
// how much was sent; the next send must fail, though a storm of EAGAIN is due.
LARIAT_KERNEL_TEST_CASE("after a send that an error has cut, the next one hears of the error") {
    World world(faulty(backend_kind, io::FaultPlan(6)));
    SocketPair pair = tcp_pair(4096);
    const int fd = world.adopt(std::move(pair.ours));
    Sending send(world, fd);
    const std::string text = pattern(8'000'000);
    set_parts(send.op, text);
    send.submit();
    world.pump(5);
    REQUIRE_FALSE(send.over);
    faults_of(*world).set_plan(io::FaultPlan(6).rate(Fault::again_storm, 1000).rate(Fault::short_write, 1000));
    reset_on_close(pair.theirs.get());
    pair.theirs.reset();
    send.wait();
    REQUIRE(send.last() > 0);
    REQUIRE(send.last() < static_cast<std::int32_t>(text.size()));
    iovec part{const_cast<char*>("more"), 4};
    const std::ptrdiff_t result = world->try_send(fd, {&part, 1});
    CHECK((result == -EPIPE || result == -ECONNRESET));
    CHECK(world->try_send(fd, {&part, 1}) == -EAGAIN);
}

LARIAT_BACKEND_TEST_CASE("a transfer that fails ends after what had arrived, and the next one goes on") {
    World world(faulty(backend_kind, io::FaultPlan(6)));
    const auto [near, far] = connected_pair(world, world.listen());
    faults_of(*world).set_plan(io::FaultPlan().rate(Fault::failed_transfer, 1000));
    iovec part{const_cast<char*>("hello"), 5};
    CHECK(world->try_send(near, {&part, 1}) == -ENOMEM);
    Sending send(world, near);
    set_parts(send.op, "hello");
    send.submit();
    CHECK(send.results.empty());
    send.wait();
    CHECK(send.results == std::vector<std::int32_t>{-ENOMEM});

    REQUIRE(faults_of(*world).below().try_send(near, {&part, 1}) == 5);
    Receiving receive(world, far);
    receive.submit();
    receive.wait();
    CHECK(receive.results == std::vector<std::int32_t>{5, -ENOMEM});
    REQUIRE(faults_of(*world).below().try_send(near, {&part, 1}) == 5);
    receive.submit();
    receive.wait();
    CHECK(receive.bytes == "hellohello");
    CHECK(faults_of(*world).counts()[Fault::failed_transfer] == 4);
}

// Goal: a seed is a run. Method: the same exchange twice on a simulated network, every completion written down.
TEST_CASE("the same seed gives the same faults") {
    const auto run = [](std::uint64_t seed) {
        const io::FaultPlan plan = io::FaultPlan(seed).disturb(200);
        World world(faulty(io::BackendKind::sim, plan));
        exchange(world, plan);
        std::vector<std::uint64_t> counts;
        for (std::size_t i = 0; i < io::fault_kinds; ++i) {
            counts.push_back(faults_of(*world).counts()[static_cast<Fault>(i)]);
        }
        counts.push_back(world->statistics().completions);
        return counts;
    };
    CHECK(run(1) == run(1));
    CHECK(run(1) != run(2));
}

TEST_SUITE_END();
