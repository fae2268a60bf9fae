// SPDX-License-Identifier: MIT
// UdpSocket: UDP datagrams for coroutines. It binds when it is made; the kernel queues datagrams from then on.
//
//     UdpSocket socket("0.0.0.0:7");
//     for (;;) {
//         const Datagram datagram = co_await socket.receive_from();
//         co_await socket.send_to(datagram.data, datagram.from);
//     }
//
// Receiving: begins with the first receive_from(). About 64 datagrams that nobody has taken wait in the socket, copied
// out of the receive pool, so that a slow receiver holds none of its memory; before that, and beyond, the kernel's
// queue (SO_RCVBUF) takes what comes and drops what it has no room for. Sending: a datagram leaves at once, whole or
// not at all.
//
// Threads: the reactor's. Lifetime: a UdpSocket must outlive the operations on it that are being awaited.
#pragma once

#include <lariat/coro/udp_socket_core.hpp>
#include <lariat/io/address.hpp>
#include <lariat/io/base/bytes.hpp>
#include <lariat/runtime/datagram_socket.hpp>

#include <memory>
#include <string>

namespace lariat {

class UdpSocket {
public:
    /// Binds on the current reactor. Port 0 lets the kernel choose, see local_address().
    /// Errors: CannotListenError; UsageError when `local` is not an IP address.
    explicit UdpSocket(const Address& local, const DatagramOptions& options = {});
    /// The same on a reactor that is not running yet.
    UdpSocket(Reactor& reactor, const Address& local, const DatagramOptions& options = {});
    UdpSocket(UdpSocket&&) noexcept = default;
    UdpSocket& operator=(UdpSocket&&) noexcept = default;
    /// Closes. Datagrams that nobody took are lost.
    ~UdpSocket() = default;

    /// Waits for a datagram. One without bytes is a datagram, too: its data is empty.
    ///
    /// Cancellation: a datagram that came first wins; none is lost, the next receive_from() gives it.
    /// Errors: SocketClosed, behind the datagrams that had come before; ConnectionRefused, NoRouteError or another
    /// ConnectError when a datagram that was sent to the peer of connect() has brought that back. It comes in its turn
    /// among the datagrams, several in a row come as one, and the socket goes on. One coroutine receives at a time.
    [[nodiscard]] detail::ReceiveFrom receive_from() noexcept { return detail::ReceiveFrom(core()); }

    /// Sends `bytes`, which must stay valid until the await ends, to `to` as one datagram. Waits only while there is no
    /// room (SO_SNDBUF), and a turn of the loop after 64 datagrams in a row. Nobody knows whether it arrives.
    ///
    /// Cancellation: one that was interrupted was not sent.
    /// Errors: MessageLengthError; SocketClosed; UsageError when `to` is not an IP address; otherwise Error with the
    /// system's number. What an earlier datagram has brought back is no error here: receive_from() throws it.
    [[nodiscard]] detail::SendDatagram send_to(Bytes bytes, const Address& to) noexcept {
        return detail::SendDatagram(core(), bytes, to);
    }
    /// The same to the peer of connect().
    [[nodiscard]] detail::SendDatagram send(Bytes bytes) noexcept { return detail::SendDatagram(core(), bytes); }

    /// Says whom send() sends to and whose datagrams alone are received from now on, at once and without a word to
    /// `peer`; also again. What had come before is still given.
    /// Errors: ConnectError, NoRouteError among them; SocketClosed; UsageError when `peer` is not an IP address.
    void connect(const Address& peer) { core().connect(peer); }

    /// With the port the kernel chose; no address after close().
    [[nodiscard]] Address local_address() const { return is_open() ? core().socket().local_address() : Address(); }
    /// No address unless connected.
    [[nodiscard]] Address peer_address() const { return is_open() ? core().socket().peer_address() : Address(); }
    [[nodiscard]] bool is_open() const noexcept { return !core().is_closed(); }
    /// Closes now: who waits gets SocketClosed.
    void close() noexcept { core().close(); }

    /// Whether it may send to broadcast addresses. Errors of this and the following: Error with the system's number,
    /// which names the group or what was to be set; SocketClosed.
    void set_broadcast(bool on);

    /// Receives what is sent to `group`, too, when bound to any address or to that of the group; then it also hears the
    /// groups that others on the machine have joined (IP_MULTICAST_ALL, ip(7)). An interface is given by its name or
    /// index, for IPv4 also by an address of it; an empty one is the one the system routes the group to.
    void join_group(const Address& group, const std::string& interface = "");
    void leave_group(const Address& group, const std::string& interface = "");
    /// How many hops what is sent to groups goes, 0 to 255; 1, the local network, unless set.
    void set_multicast_ttl(int hops);
    /// Whether members on this machine hear what is sent to groups; true unless set.
    void set_multicast_loop(bool on);
    /// The interface by which what is sent to groups leaves; an empty one lets the system choose.
    void set_multicast_interface(const std::string& interface);

private:
    [[nodiscard]] detail::UdpSocketCore& core() const noexcept {
        LARIAT_CHECK(core_ != nullptr, "this UdpSocket was moved from");
        return *core_;
    }

    std::unique_ptr<detail::UdpSocketCore> core_;
};

}  // namespace lariat
