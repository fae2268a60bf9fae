// SPDX-License-Identifier: MIT
// Waiting: deadlines, wake-ups, time, randomness, and the end of a backend.
#include <lariat/test/support/backends.hpp>
#include <lariat/test/support/io_world.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <set>
#include <thread>

using namespace lariat;
using namespace lariat::test;

namespace {

/// Waits until `deadline` has come and returns how many calls that took: wait() may return early, but not all the time.
int wait_out(World& world, TimePoint deadline) {
    int calls = 0;
    for (; world->now() < deadline; ++calls) world->wait(deadline);
    return calls;
}

std::atomic<io::Backend*> woken_by_signal = nullptr;

void wake_from_signal(int) {
    if (io::Backend* backend = woken_by_signal) backend->wake();
}

}  // namespace

TEST_SUITE_BEGIN("io wait");

LARIAT_BACKEND_TEST_CASE("wait returns at its deadline, not before and without spinning") {
    World world(backend_kind);
    world.pump(1);
    for (const Duration delay :
         {Duration(1), Duration(std::chrono::microseconds(300)), Duration(std::chrono::milliseconds(3))}) {
        CHECK(wait_out(world, world->now() + delay) <= 3);
    }
    CHECK_FALSE(world->has_completions());
    CHECK(world->dispatch(10) == 0);
}

LARIAT_BACKEND_TEST_CASE("a deadline in the past only looks") {
    World world(backend_kind);
    world->wait(TimePoint::min());
    world->wait(world->now() - std::chrono::hours(1));
    world->wait(TimePoint(Duration(0)));
    CHECK_FALSE(world->has_completions());
}

LARIAT_BACKEND_TEST_CASE("a wake before the wait makes the wait return, once") {
    World world(backend_kind);
    for (int round = 0; round < 10; ++round) {
        world->wake();
        world->wake();
        world->wait(never);
    }
    CHECK_FALSE(world->has_completions());
    CHECK(wait_out(world, world->now() + std::chrono::milliseconds(5)) <= 5);
}

LARIAT_BACKEND_TEST_CASE("a wake from a signal handler interrupts the wait") {
    World world(backend_kind);
    woken_by_signal = &*world;
    struct sigaction action{}, before{};
    action.sa_handler = wake_from_signal;
    REQUIRE(::sigaction(SIGUSR1, &action, &before) == 0);
    ::raise(SIGUSR1);
    world->wait(never);
    woken_by_signal = nullptr;
    ::sigaction(SIGUSR1, &before, nullptr);
}

LARIAT_KERNEL_TEST_CASE("dispatch keeps to its budget and what is left survives the next wait") {
    World world(backend_kind);
    std::vector<SocketPair> pairs;
    std::vector<std::unique_ptr<Receiving>> receives;
    for (int i = 0; i < 10; ++i) {
        pairs.push_back(unix_pair());
        receives.push_back(std::make_unique<Receiving>(world, world.adopt(std::move(pairs.back().ours))));
        receives.back()->submit();
        write_all(pairs.back().theirs.get(), "x");
    }
    for (std::size_t total = 0; total < 10;) {
        world.wait_for_completions();
        const std::size_t ran = world->dispatch(3);
        CHECK(ran <= 3);
        CHECK((ran == 3 || !world->has_completions()));
        total += ran;
        world->wait(TimePoint::min());
    }
    for (const auto& receive : receives) CHECK(receive->bytes == "x");
    CHECK(world->dispatch(0) == 0);
}

LARIAT_KERNEL_TEST_CASE("a handler may cancel, close and replace any other operation of the same turn") {
    World world(backend_kind);
    SocketPair first = unix_pair(), second = unix_pair();
    const int fd = world.adopt(std::move(first.ours));
    const int victim_fd = world.adopt(std::move(second.ours));
    Receiving receive(world, fd), victim(world, victim_fd);
    receive.submit();
    victim.submit();
    write_all(first.theirs.get(), "x");
    write_all(second.theirs.get(), "y");
    receive.then = [&](io::Completion&) { victim.cancel(); };
    victim.then = [&](io::Completion&) { receive.cancel(); };
    world.pump_until([&] { return receive.over || victim.over; });
    world.pump(5);
    // Whichever came first, both had data before they were cancelled.
    CHECK(receive.bytes == "x");
    CHECK(victim.bytes == "y");
}

LARIAT_BACKEND_TEST_CASE("time goes forward and random numbers differ") {
    World world(backend_kind);
    TimePoint last = world->now();
    for (int i = 0; i < 1000; ++i) {
        const TimePoint now = world->now();
        REQUIRE(now >= last);
        last = now;
    }
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 1000; ++i) seen.insert(world->random());
    CHECK(seen.size() == 1000);
}

LARIAT_KERNEL_TEST_CASE("Buffers outlive the backend they came from") {
    std::vector<Buffer> held;
    SocketPair pair = unix_pair();
    {
        auto backend = io::make_backend(backend_kind);
        io::ReceiveOp receive(
            [](io::Op& op, io::Completion& completion) noexcept {
                if (completion.buffer)
                    static_cast<std::vector<Buffer>*>(op.owner)->push_back(std::move(completion.buffer));
            },
            &held);
        receive.fd = pair.ours.get();
        backend->submit(receive);
        write_all(pair.theirs.get(), "kept");
        while (held.empty()) {
            backend->wait(never);
            backend->dispatch(16);
        }
        CHECK(backend->ledger().buffers == 1);
        backend->cancel(receive);
        while (receive.in_flight()) {
            backend->wait(never);
            backend->dispatch(16);
        }
    }
    CHECK(held[0].text() == "kept");
    Buffer slice = held[0].slice(1, 2);
    held.clear();
    CHECK(slice.text() == "ep");
}

LARIAT_BACKEND_TEST_CASE("socket calls report errors as negative errno") {
    World world(backend_kind);
    CHECK(world->open_socket(-1, SOCK_STREAM) == -EAFNOSUPPORT);
    CHECK(world->adopt(-1) == -EBADF);
    CHECK(world->listen(-1, 1) == -EBADF);
    CHECK(world->bind(-1, Address::loopback(0)) == -EBADF);
    CHECK(world->shutdown(-1, SHUT_WR) == -EBADF);
    const int fd = world.open();
    Address address;
    CHECK(world->peer_address(fd, address) == -ENOTCONN);
    CHECK(world->local_address(fd, address) == 0);
    CHECK(address.str() == "0.0.0.0:0");
    CHECK(world->try_accept(fd) == -EINVAL);
    const int on = 1;
    CHECK(world->set_option(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    int value = 0;
    CHECK(world->get_option(fd, SOL_SOCKET, SO_REUSEADDR, &value, sizeof value) == 0);
    CHECK(value == 1);
    CHECK(world->set_option(fd, SOL_SOCKET, -1, &on, sizeof on) == -ENOPROTOOPT);
    CHECK(world->ledger().descriptors == 1);
}

TEST_SUITE_END();

TEST_SUITE("io threads") {
    // Goal: no wake-up is lost. Method: each round the other thread waits for the number of the round, then wakes; a
    // lost wake-up leaves wait(never) asleep.
    LARIAT_BACKEND_TEST_CASE("every wake from another thread ends a wait") {
        World world(backend_kind);
        constexpr int rounds = 5000;
        std::atomic<int> asked = 0;
        std::atomic<int> answered = 0;
        std::thread waker([&] {
            for (int round = 1; round <= rounds; ++round) {
                while (asked.load() < round) std::this_thread::yield();
                answered.store(round);
                world->wake();
            }
        });
        for (int round = 1; round <= rounds; ++round) {
            asked.store(round);
            while (answered.load() < round) world->wait(never);
        }
        waker.join();
        CHECK(answered.load() == rounds);
    }

    LARIAT_KERNEL_TEST_CASE("wakes of several threads do not disturb a stream") {
        World world(backend_kind);
        SocketPair pair = unix_pair();
        Receiving receive(world, world.adopt(std::move(pair.ours)));
        receive.submit();
        std::atomic<bool> stop = false;
        std::vector<std::thread> wakers;
        for (int i = 0; i < 2; ++i) {
            wakers.emplace_back([&] {
                while (!stop) {
                    world->wake();
                    std::this_thread::yield();
                }
            });
        }
        const std::string text = pattern(300'000);
        std::size_t sent = 0;
        world.spin_until([&] {
            const ssize_t n = ::send(pair.theirs.get(), text.data() + sent,
                                     std::min<std::size_t>(3000, text.size() - sent), MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n > 0) sent += static_cast<std::size_t>(n);
            return receive.bytes.size() == text.size();
        });
        stop = true;
        for (std::thread& waker : wakers) waker.join();
        CHECK(receive.bytes == text);
    }

    LARIAT_KERNEL_TEST_CASE("a backend made on one thread may run on another") {
        auto world = std::make_unique<World>(backend_kind);
        std::thread runner([&] {
            SocketPair pair = unix_pair();
            {
                Receiving receive(*world, world->adopt(std::move(pair.ours)));
                receive.submit();
                write_all(pair.theirs.get(), "moved");
                world->pump_until([&] { return receive.bytes == "moved"; });
            }
            world.reset();
        });
        runner.join();
    }
}
