// SPDX-License-Identifier: MIT
// Datagrams: what a simulated socket of SOCK_DGRAM sends and what has come for it, over UDP or within a host over UNIX
// sockets.
//
// A UDP datagram leaves at once and travels alone: it may be lost, doubled and overtaken, and nobody hears of it. Only
// where a host is reached that has no such port does a connected sender learn that it was refused (udp(7)). A UNIX
// datagram arrives at once, in order, and waits for room where it goes (unix(7)).
#pragma once

#include <lariat/io/address.hpp>
#include <lariat/io/base/intrusive_list.hpp>
#include <lariat/io/base/timer_queue.hpp>
#include <lariat/io/buffer.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <sys/socket.h>
#include <sys/uio.h>
#include <utility>
#include <vector>

namespace lariat::sim {

class Host;
class Node;
class Socket;
class World;
struct Path;

struct Datagram {
    Address from;
    Buffer bytes;
};

/// One on its way, or word on its way back that one was refused. Frees itself when it gets there.
class Flight final : Timer, public ListHook<> {
public:
    enum class Kind : std::uint8_t { datagram, refusal };

    /// Leaves `from` for `to`, by way of the link between them.
    static void send(World& world, Kind kind, Node& from, Host& to, const Address& source, const Address& destination,
                     Bytes bytes);

private:
    Flight(World& world, Kind kind, Node& from, Host& to, const Address& source, const Address& destination,
           Bytes bytes);
    static void due(Timer& timer) noexcept;
    void arrive();

    World& world_;
    Kind kind_;
    Node& from_;
    Host& to_;
    Address source_;
    Address destination_;
    Buffer bytes_;
};

class Datagrams {
public:
    explicit Datagrams(Socket& socket) noexcept : socket_(socket), room_(*this) {}

    // The socket's calls: 0 or more, or a negative errno.
    int connect(const Address& to);
    /// One datagram to `to`, or to the peer of connect() when that is none.
    std::ptrdiff_t send(std::span<const iovec> parts, const Address& to);
    /// The oldest that has come; -EAGAIN when there is none, or what one sent earlier has brought back.
    int receive(Datagram& into);
    int join(const Address& group, bool on);
    int take_error() noexcept { return std::exchange(error_, 0); }
    [[nodiscard]] bool has_something_to_read() const noexcept { return !arrived_.empty() || error_ != 0; }
    [[nodiscard]] std::uint32_t poll_events();
    /// No address unless connected.
    [[nodiscard]] const Address& peer() const noexcept { return peer_; }
    [[nodiscard]] bool is_member(const Address& group) const noexcept;

    void deliver(const Address& from, Bytes bytes);
    /// Who waits for room here looks again: there is some, or the socket is closed.
    void tell_senders() noexcept;
    void refused() noexcept;

private:
    /// The line is busy for long with what was sent before.
    struct Room : Timer {
        explicit Room(Datagrams& owner) noexcept : Timer(&fired), datagrams(owner) {}
        static void fired(Timer& timer) noexcept;
        Datagrams& datagrams;
    };

    std::ptrdiff_t send_locally(Bytes bytes, const Address& to);
    std::ptrdiff_t send_over_network(Bytes bytes, const Address& to);
    /// Of a UNIX socket.
    [[nodiscard]] bool is_full() const noexcept;
    [[nodiscard]] bool finds_room(const Path& path);
    void wait_for_room(Datagrams& there);

    Socket& socket_;
    Address peer_;
    std::deque<Datagram> arrived_;
    std::size_t arrived_bytes_ = 0;
    int error_ = 0;
    std::vector<Address> groups_;       // ports 0
    std::vector<int> waiting_senders_;  // descriptors of this host's UNIX sockets
    Room room_;
};

}  // namespace lariat::sim
