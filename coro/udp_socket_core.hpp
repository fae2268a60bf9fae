// SPDX-License-Identifier: MIT
// UdpSocketCore: what a UdpSocket owns, and the verbs that wait for datagrams and for room to send. Not for users.
#pragma once

#include <lariat/coro/operation.hpp>
#include <lariat/io/address.hpp>
#include <lariat/io/base/bytes.hpp>
#include <lariat/io/base/error.hpp>
#include <lariat/runtime/datagram_socket.hpp>
#include <lariat/runtime/ready.hpp>

#include <cstddef>
#include <deque>
#include <utility>

namespace lariat {

/// Using a UdpSocket that was closed.
class SocketClosed : public Error {
public:
    SocketClosed() : Error("the socket is closed") {}
};

namespace detail {

class ReceiveFrom;

class UdpSocketCore final : private Ready {
public:
    UdpSocketCore(Reactor& reactor, const Address& local, const DatagramOptions& options);
    UdpSocketCore(const UdpSocketCore&) = delete;
    UdpSocketCore& operator=(const UdpSocketCore&) = delete;
    ~UdpSocketCore();

    [[nodiscard]] Reactor& reactor() noexcept { return reactor_; }
    [[nodiscard]] DatagramSocket& socket() noexcept { return socket_; }
    [[nodiscard]] bool is_closed() const noexcept { return !socket_.is_open(); }
    void close() noexcept;
    void connect(const Address& peer);

    [[nodiscard]] bool has_arrived() const noexcept { return !arrived_.empty(); }
    /// The oldest datagram that nobody took; throws the error that came instead, or SocketClosed when there is nothing.
    Datagram take();
    void wait(ReceiveFrom& receiver) noexcept;
    void stop_waiting() noexcept { receiver_ = nullptr; }

    /// Now and then false: others must have their turn before the next datagram is sent.
    bool may_send_now() noexcept { return sent_++ < most_in_a_row; }
    void sender_waits() noexcept { ++senders_, sent_ = 0; }
    void sender_goes_on() noexcept { --senders_; }

private:
    // A socket nearly always has room: who sends and never waits would hear of no cancellation.
    static constexpr unsigned most_in_a_row = 64;

    /// A datagram, or an error that came in its place.
    struct Arrival {
        Datagram datagram;
        int error = 0;
    };

    void received(Datagram& datagram);
    void failed(int error) noexcept;
    void schedule_tell() noexcept;
    static void tell(Ready& ready) noexcept;

    Reactor& reactor_;
    DatagramSocket socket_;
    std::deque<Arrival> arrived_;
    ReceiveFrom* receiver_ = nullptr;
    std::size_t senders_ = 0;  // that wait
    unsigned sent_ = 0;        // since somebody has waited
    bool started_ = false;
    bool paused_ = false;  // more than a few datagrams wait for receive_from()
};

/// Gives a datagram.
class ReceiveFrom final : public Operation<ReceiveFrom> {
public:
    explicit ReceiveFrom(UdpSocketCore& core) noexcept : core_(core) {}
    Datagram await_resume() {
        check();
        return core_.take();
    }

private:
    friend Operation<ReceiveFrom>;
    friend UdpSocketCore;

    bool begin() noexcept {
        if (core_.has_arrived() || core_.is_closed()) return true;
        core_.wait(*this);
        return false;
    }
    void advance() noexcept {
        core_.stop_waiting();
        finish();
    }
    bool withdraw() noexcept override { return core_.stop_waiting(), true; }
    const char* verb() const noexcept override { return "receive_from"; }

    UdpSocketCore& core_;
};

/// Sends a datagram, waiting for room as often as it takes.
class SendDatagram final : public Operation<SendDatagram>, private Ready, private DatagramSocket::RoomWaiter {
public:
    /// To the peer of connect().
    SendDatagram(UdpSocketCore& core, Bytes bytes) noexcept : Ready(on_turn), core_(core), bytes_(bytes) {}
    SendDatagram(UdpSocketCore& core, Bytes bytes, const Address& to) noexcept
        : Ready(on_turn), core_(core), bytes_(bytes), to_(to), named_(true) {}
    void await_resume() const;

private:
    friend Operation<SendDatagram>;

    bool begin() noexcept;
    bool attempt() noexcept;
    void advance() noexcept;
    static void on_turn(Ready& ready) noexcept { static_cast<SendDatagram&>(ready).advance(); }
    void room() noexcept override { advance(); }
    bool withdraw() noexcept override;
    const char* verb() const noexcept override { return named_ ? "send_to" : "send"; }

    UdpSocketCore& core_;
    Bytes bytes_;
    Address to_;
    std::ptrdiff_t result_ = 0;
    bool named_ = false;  // an address was given
};

}  // namespace detail
}  // namespace lariat
