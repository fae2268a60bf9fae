// SPDX-License-Identifier: MIT
// Scarcity and disturbance: few buffers, tiny queues, signals, numbers that are used again. Nothing may be lost.
#include <lariat/test/support/backends.hpp>
#include <lariat/test/support/io_world.hpp>

#include <doctest/doctest.h>

#include <csignal>
#include <ctime>
#include <map>
#include <poll.h>
#include <random>

using namespace lariat;
using namespace lariat::test;

namespace {

struct Peer {
    Peer(World& world, SocketPair pair)
        : theirs(std::move(pair.theirs)), receive(world, world.adopt(std::move(pair.ours))) {}
    UniqueFd theirs;
    Receiving receive;
};

using Peers = std::vector<std::unique_ptr<Peer>>;

Peers make_peers(World& world, int count) {
    Peers peers;
    for (int i = 0; i < count; ++i) {
        peers.push_back(std::make_unique<Peer>(world, unix_pair()));
        peers.back()->receive.submit();
    }
    return peers;
}

/// Interrupts whatever this process does, five thousand times a second, while it lives. SIGALRM is the test runner's.
class SignalStorm {
public:
    SignalStorm() {
        struct sigaction action{};
        action.sa_handler = [](int) { count_ = count_ + 1; };
        REQUIRE(::sigaction(SIGUSR2, &action, &before_) == 0);  // without SA_RESTART
        sigevent event{};
        event.sigev_notify = SIGEV_SIGNAL;
        event.sigev_signo = SIGUSR2;
        REQUIRE(::timer_create(CLOCK_MONOTONIC, &event, &timer_) == 0);
        const itimerspec often{{0, 200'000}, {0, 200'000}};
        REQUIRE(::timer_settime(timer_, 0, &often, nullptr) == 0);
    }
    ~SignalStorm() {
        ::timer_delete(timer_);
        ::sigaction(SIGUSR2, &before_, nullptr);
    }
    static int count() { return count_; }

private:
    static inline volatile std::sig_atomic_t count_ = 0;
    timer_t timer_{};
    struct sigaction before_{};
};

}  // namespace

TEST_SUITE_BEGIN("io stress");

// Goal: users who hold every buffer stop nobody. Method: 4 buffers, 100 connections, every received buffer is kept to
// the end; messages arrive in rounds so that receives start, run dry and start again.
LARIAT_KERNEL_TEST_CASE("nothing is lost when users hold every buffer of the pool") {
    World world(backend_kind, io::BackendOptions().receive_buffers(4).receive_buffer_size(512));
    Peers peers = make_peers(world, 100);
    std::vector<std::string> sent(peers.size());
    for (auto& peer : peers) peer->receive.hold = true;
    for (unsigned round = 0; round < 5; ++round) {
        for (std::size_t i = 0; i < peers.size(); ++i) {
            const std::string text = pattern(100 + 200 * round, static_cast<std::uint32_t>(i + 100 * round));
            sent[i] += text;
            write_all(peers[i]->theirs.get(), text);
        }
        world.pump_until([&] {
            for (std::size_t i = 0; i < peers.size(); ++i) {
                if (peers[i]->receive.bytes.size() < sent[i].size()) return false;
            }
            return true;
        });
    }
    CHECK(world->statistics().pool_exhausted > 0);
    CHECK(world->ledger().buffers == 4);
    for (std::size_t i = 0; i < peers.size(); ++i) {
        CHECK_FALSE(peers[i]->receive.over);
        std::string held;
        for (const Buffer& buffer : peers[i]->receive.held) held += buffer.text();
        REQUIRE(held == sent[i]);
        peers[i]->receive.held.clear();
    }
    CHECK(world->ledger().buffers == 0);
    // The streams end as ever.
    for (auto& peer : peers) peer->theirs.reset();
    for (auto& peer : peers) {
        peer->receive.wait();
        CHECK(peer->receive.last() == 0);
    }
}

LARIAT_KERNEL_TEST_CASE("a thousand operations pass through tiny queues") {
    World world(backend_kind, io::BackendOptions().submission_entries(8).completion_entries(16));
    SocketPair pair = unix_pair();
    std::vector<std::unique_ptr<Polling>> polls;
    for (int i = 0; i < 1000; ++i) {
        polls.push_back(std::make_unique<Polling>(world, pair.ours.get()));
        polls.back()->op.events = POLLIN;
        polls.back()->submit();
    }
    CHECK(world->ledger().operations == 1000);
    const auto all_over = [&] {
        for (const auto& poll : polls) {
            if (!poll->over) return false;
        }
        return true;
    };
    SUBCASE("all become ready at once") {
        world.pump(3);
        write_all(pair.theirs.get(), "x");
        world.pump_until(all_over);
        for (const auto& poll : polls) CHECK(poll->results == std::vector<std::int32_t>{POLLIN});
    }
    SUBCASE("all are cancelled at once") {
        world.pump(3);
        for (const auto& poll : polls) poll->cancel();
        world.pump_until(all_over);
        for (const auto& poll : polls) CHECK(poll->results == std::vector<std::int32_t>{-ECANCELED});
    }
    SUBCASE("all are cancelled before they were looked at") {
        for (const auto& poll : polls) poll->cancel();
        for (const auto& poll : polls) CHECK(poll->results.empty());
        world.pump_until(all_over);
        for (const auto& poll : polls) CHECK(poll->results == std::vector<std::int32_t>{-ECANCELED});
    }
    SUBCASE("some are cancelled while all become ready") {
        world.pump(3);
        write_all(pair.theirs.get(), "x");
        for (std::size_t i = 0; i < polls.size(); i += 2) polls[i]->cancel();
        world.pump_until(all_over);
        for (std::size_t i = 0; i < polls.size(); ++i) {
            REQUIRE(polls[i]->results.size() == 1);
            CHECK((polls[i]->last() == POLLIN || (i % 2 == 0 && polls[i]->last() == -ECANCELED)));
        }
    }
    CHECK(world->ledger().operations == 0);
}

// Goal: a multishot receive that the kernel ends by itself (a completion queue of 16 overflows all the time) goes on as
// if nothing had happened. Method: many streams at once, checked byte by byte.
LARIAT_KERNEL_TEST_CASE("streams go on whatever ends their receives inside the kernel") {
    World world(
        backend_kind,
        io::BackendOptions().submission_entries(8).completion_entries(16).receive_buffers(16).receive_buffer_size(256));
    Peers peers = make_peers(world, 64);
    const std::string text = pattern(20'000);
    std::vector<std::size_t> sent(peers.size(), 0);
    world.spin_until([&] {
        bool all = true;
        for (std::size_t i = 0; i < peers.size(); ++i) {
            const ssize_t n = ::send(peers[i]->theirs.get(), text.data() + sent[i], text.size() - sent[i],
                                     MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n > 0) sent[i] += static_cast<std::size_t>(n);
            all = all && peers[i]->receive.bytes.size() == text.size();
        }
        return all;
    });
    for (const auto& peer : peers) {
        CHECK(peer->receive.bytes == text);
        CHECK_FALSE(peer->receive.over);
    }
}

LARIAT_KERNEL_TEST_CASE("a storm of signals disturbs nothing") {
    World world(backend_kind);
    SocketPair pair = tcp_pair(8192);
    const int fd = world.adopt(std::move(pair.ours));
    Receiving receive(world, fd);
    Sending send(world, fd);
    const std::string out = pattern(2'000'000, 1), in = pattern(1'000'000, 2);
    std::string got;
    std::size_t sent = 0;
    {
        const SignalStorm storm;
        const int before = SignalStorm::count();
        set_parts(send.op, out);
        send.submit();
        receive.submit();
        world.spin_until([&] {
            got += read_available(pair.theirs.get());
            const ssize_t n =
                ::send(pair.theirs.get(), in.data() + sent, in.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n > 0) sent += static_cast<std::size_t>(n);
            return send.over && receive.bytes.size() == in.size() && got.size() == out.size();
        });
        const TimePoint deadline = world->now() + std::chrono::milliseconds(10);
        world.pump_until([&] { return world->now() >= deadline && SignalStorm::count() > before + 10; });
    }
    CHECK(send.results == std::vector<std::int32_t>{static_cast<std::int32_t>(out.size())});
    CHECK(got == out);
    CHECK(receive.bytes == in);
}

// Goal: no event or byte of a closed connection reaches the next owner of its number. Method: connections are opened
// and closed at random moments, in all states; each client sends only its own letter, chosen by its port.
LARIAT_KERNEL_TEST_CASE("a descriptor number that is used again brings nothing from its last owner") {
    struct Session {
        Session(World& world, int fd) : receive(world, fd) {}
        Receiving receive;
        char letter = 0;
        bool closing = false;
    };
    World world(backend_kind, io::BackendOptions().submission_entries(16).completion_entries(32).receive_buffers(16));
    const int listener = world.listen();
    const Address address = world.address_of(listener);
    std::mt19937 random(11);
    std::map<int, std::unique_ptr<Session>> sessions;
    std::vector<UniqueFd> clients;
    const auto letter_of = [](std::uint16_t port) { return static_cast<char>('a' + port % 26); };
    std::size_t accepted = 0, received = 0;

    Accepting accept(world, listener);
    accept.then = [&](io::Completion& completion) {
        if (completion.result < 0) return;
        ++accepted;
        Address peer;  // unknown when the peer has reset the connection already: then its first byte decides
        const bool known = world->peer_address(completion.result, peer) == 0;
        CHECK_FALSE(sessions.contains(completion.result));
        auto session = std::make_unique<Session>(world, completion.result);
        if (known) session->letter = letter_of(peer.port());
        session->receive.then = [&received, one = session.get()](io::Completion& got) {
            if (got.result <= 0) return;
            received += static_cast<std::size_t>(got.result);
            if (one->letter == 0) one->letter = one->receive.bytes[0];
            CHECK(one->receive.bytes.find_first_not_of(one->letter) == std::string::npos);
            one->receive.bytes.clear();
        };
        session->receive.submit();
        sessions.emplace(completion.result, std::move(session));
    };
    accept.submit();

    for (int step = 0; step < 4000; ++step) {
        const auto dice = random() % 10;
        if (dice < 3 && clients.size() < 12) {
            clients.push_back(connect_to(address));
        } else if (dice < 5 && !clients.empty()) {
            const std::size_t pick = random() % clients.size();
            if (random() % 2 == 0) reset_on_close(clients[pick].get());
            std::swap(clients[pick], clients.back());
            clients.pop_back();
        } else if (dice < 8) {
            for (const UniqueFd& client : clients) {
                sockaddr_in name{};
                socklen_t size = sizeof name;
                ::getsockname(client.get(), reinterpret_cast<sockaddr*>(&name), &size);
                const std::string text(1 + random() % 50, letter_of(ntohs(name.sin_port)));
                ::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            }
        }
        world->wait(TimePoint::min());
        for (auto& [fd, session] : sessions) {
            if (random() % 8 != 0) continue;
            session->closing = true;
            session->receive.cancel();
        }
        world->dispatch(1 + random() % 8);
        std::erase_if(sessions, [&](auto& entry) {
            if (entry.second->receive.op.in_flight()) return false;
            world.close(entry.first);
            return true;
        });
    }
    clients.clear();
    world.pump_until([&] {
        for (const auto& [fd, session] : sessions) {
            if (!session->receive.over) return false;
        }
        return true;
    });
    CHECK(accepted > 500);
    CHECK(received > 1000);
    accept.cancel_and_wait();
    sessions.clear();
}

TEST_SUITE_END();
