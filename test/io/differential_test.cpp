// SPDX-License-Identifier: MIT
// Random scripts of socket calls give the same answers on every backend: results, bytes, poll events and the order of
// ends and errors. Each step waits for what it must cause, so that the answers do not depend on time.
#include <lariat/test/support/differential.hpp>

#include <lariat/io/base/random.hpp>
#include <lariat/test/support/io_world.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <netinet/tcp.h>
#include <poll.h>
#include <string>
#include <sys/ioctl.h>
#include <vector>

namespace lariat {
namespace {

using namespace lariat::test;
using io::BackendKind;

class Script : private SeenLines {
public:
    Script(BackendKind kind, std::uint64_t seed) : world_(kind), random_(seed) {}
    ~Script() {
        for (auto& connection : connections_) {
            for (End& end : connection->ends) end.receive.reset();
        }
    }

    std::vector<std::string> run(int steps) {
        misuse();
        listener_ = world_.listen();
        for (int i = 0; i < steps; ++i) step();
        return take();
    }

private:
    struct End {
        int fd = -1;
        std::unique_ptr<Receiving> receive;
        std::string sent;
        bool open = true;
        bool write_ended = false;
        bool over = false;     // its receive has ended for good, or the peer has reset
        bool refused = false;  // a send has failed, or may not be tried
    };
    struct Connection {
        std::array<End, 2> ends;
    };

    void step() {
        if (connections_.size() < 2 || random_.chance(50)) return connect();
        Connection& connection = *connections_[random_.below(connections_.size())];
        const std::size_t which = random_.below(2);
        End& end = connection.ends[which];
        End& peer = connection.ends[1 - which];
        if (!end.open) return;
        switch (random_.below(12)) {
        case 0:
        case 1:
        case 2:
        case 3: return send(end, peer);
        case 4:
        case 5: return read(end, peer);
        case 6: return stop_reading(end);
        case 7: return end_writing(end, peer);
        case 8: return look(end);
        case 9: return options(end);
        case 10: return random_.chance(300) ? close(end, peer, false) : send(end, peer);
        default: return random_.chance(200) ? close(end, peer, true) : read(end, peer);
        }
    }

    // What is wrong with a socket that is not connected.
    void misuse() {
        Address address;
        const int fd = world_.open();
        say("not connected:", send_now(fd, "x"), world_->shutdown(fd, SHUT_WR), world_->peer_address(fd, address),
            world_->try_accept(fd));
        say("bound:", world_->bind(fd, Address::loopback(0)), world_->bind(fd, Address::loopback(0)));
        const int other = world_.open();
        say("taken:", world_->bind(other, world_.address_of(fd)));
        say("elsewhere:", world_->bind(other, Address("192.0.2.1:0")));
        Connecting refused(world_, world_.open());
        refused.op.address = world_.address_of(fd);  // bound, and nobody listens
        refused.submit();
        refused.wait();
        say("refused:", refused.last());
    }

    void connect() {
        auto& connection = *connections_.emplace_back(std::make_unique<Connection>());
        End& caller = connection.ends[0];
        caller.fd = world_.open();
        Connecting connecting(world_, caller.fd);
        connecting.op.address = world_.address_of(listener_);
        connecting.submit();
        connecting.wait();
        Accepting accepting(world_, listener_);
        accepting.submit();
        world_.pump_until([&] { return !accepting.results.empty(); });
        connection.ends[1].fd = accepting.last();
        accepting.cancel_and_wait();
        Address ours, theirs;
        world_->local_address(caller.fd, ours);
        world_->peer_address(connection.ends[1].fd, theirs);
        say("connect:", connecting.last(), "accept ends:", accepting.last(), "same:", ours == theirs);
        connecting.submit();
        connecting.wait();
        say("again:", connecting.last());
    }

    void send(End& end, End& peer) {
        const std::size_t unread = end.sent.size() - received(peer);
        if (end.refused || unread > 20'000) return;
        const std::string text = pattern(random_.between(1, 5000), static_cast<std::uint32_t>(end.sent.size()));
        std::ptrdiff_t result = 0;
        if (random_.chance(500)) {
            result = send_now(end.fd, text);
        } else {
            Sending sending(world_, end.fd);
            set_parts(sending.op, text, random_.between(1, 2000));
            sending.submit();
            sending.wait();
            result = sending.last();
        }
        say("send", text.size(), "=", result);
        if (result < 0) {
            end.refused = true;
            return;
        }
        end.sent += text.substr(0, static_cast<std::size_t>(result));
        if (!peer.open) {
            await(end, POLLERR | POLLHUP);  // nobody was there: a reset comes back
        } else if (reading(peer)) {
            world_.pump_until([&] { return received(peer) == end.sent.size() || peer.receive->over; });
            say("arrives", received(peer));
        } else if (!peer.over) {
            let_arrive(peer, end.sent.size() - received(peer));
        }
    }

    // Until `unread` bytes wait to be received.
    void let_arrive(End& end, std::size_t unread) {
        if (world_->simulation()) {
            const TimePoint then = world_->now() + std::chrono::milliseconds(10);
            world_.pump_until([&] { return world_->now() >= then; });
            return;
        }
        int there = 0;
        world_.spin_until([&] {
            REQUIRE(::ioctl(end.fd, FIONREAD, &there) == 0);
            return static_cast<std::size_t>(there) == unread;
        });
    }

    void read(End& end, End& peer) {
        if (end.over || reading(end)) return;
        if (!end.receive) end.receive = std::make_unique<Receiving>(world_, end.fd);
        end.receive->submit();
        world_.pump_until(
            [&] { return end.receive->over || (received(end) == peer.sent.size() && peer.open && !peer.write_ended); });
        tell_of(end, peer);
    }

    void stop_reading(End& end) {
        if (!reading(end)) return;
        end.receive->cancel_and_wait();
        say("reading stops", end.receive->last(), "after", received(end));
    }

    void end_writing(End& end, End& peer) {
        if (end.write_ended || end.refused || !peer.open) return;
        say("shutdown", world_->shutdown(end.fd, SHUT_WR));
        end.write_ended = end.refused = true;
        say("send after it", send_now(end.fd, "x"));
        ended(peer, end, POLLRDHUP);
    }

    void close(End& end, End& peer, bool with_reset) {
        stop_reading(end);
        const linger at_once{1, 0};
        if (with_reset) world_->set_option(end.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        const std::size_t received_before = received(end);
        end.receive.reset();
        world_.close(end.fd);
        end.open = false;
        say(with_reset ? "reset" : "close");
        const bool all_read = received_before == peer.sent.size();
        if (peer.open) ended(peer, end, with_reset || !all_read ? POLLHUP : POLLRDHUP);
    }

    // What `end` sees of its peer's going.
    void ended(End& end, const End& peer, std::uint32_t event) {
        if (reading(end)) {
            world_.pump_until([&] { return end.receive->over; });
            tell_of(end, peer);
        } else {
            await(end, event);
        }
    }

    void tell_of(End& end, const End& peer) {
        if (!end.receive->over) return say("has read", received(end));
        end.over = true;
        say("reads", received(end), "then", end.receive->last(),
            "the right bytes:", peer.sent.compare(0, received(end), end.receive->bytes) == 0);
    }

    void look(End& end) { say("events", poll(end.fd, POLLIN | POLLOUT | POLLRDHUP)); }

    void options(End& end) {
        const int on = 1;
        int value = 0;
        world_->set_option(end.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        say("option", world_->get_option(end.fd, IPPROTO_TCP, TCP_NODELAY, &value, sizeof value), value);
        say("type", world_->get_option(end.fd, SOL_SOCKET, SO_TYPE, &value, sizeof value), value);
        say("listens", world_->get_option(end.fd, SOL_SOCKET, SO_ACCEPTCONN, &value, sizeof value), value);
        say("listener", world_->get_option(listener_, SOL_SOCKET, SO_ACCEPTCONN, &value, sizeof value), value);
        say("accepts", world_->try_accept(end.fd), "nobody:", world_->try_accept(listener_));
    }

    static bool reading(const End& end) { return end.receive && end.receive->op.in_flight(); }
    static std::size_t received(const End& end) { return end.receive ? end.receive->bytes.size() : 0; }

    std::ptrdiff_t send_now(int fd, std::string_view text) {
        const iovec part{const_cast<char*>(text.data()), text.size()};
        return world_->try_send(fd, {&part, 1});
    }
    std::int32_t poll(int fd, std::uint32_t events) {
        Polling polling(world_, fd);
        polling.op.events = events;
        const auto asked = static_cast<std::int32_t>(events | POLLERR | POLLHUP);
        do {  // io_uring's may end with POLLRDHUP alone
            polling.submit();
            polling.wait();
        } while ((polling.last() & asked) == 0);
        return polling.last();
    }
    void await(End& end, std::uint32_t events) { say("then", poll(end.fd, events)); }

    World world_;
    Random random_;
    int listener_ = -1;
    std::vector<std::unique_ptr<Connection>> connections_;
};

TEST_CASE("scripts of socket calls give the same answers on every backend") {
    require_same_everywhere<Script>(60, 120);
}

}  // namespace
}  // namespace lariat
