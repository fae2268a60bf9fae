// SPDX-License-Identifier: MIT
// DatagramSocket: a bound socket of datagrams on a Reactor. Hands over what arrives, sends at once or not at all, and
// ends only when closed.
//
// Threads: the reactor's.
#pragma once

#include <lariat/io/address.hpp>
#include <lariat/io/base/bytes.hpp>
#include <lariat/io/base/function.hpp>
#include <lariat/io/base/intrusive_list.hpp>
#include <lariat/io/buffer.hpp>

#include <cstddef>
#include <span>
#include <sys/socket.h>
#include <utility>

namespace lariat {

class Reactor;

/// One datagram that has arrived.
struct Datagram {
    Datagram() noexcept = default;
    Datagram(const Address& from_, Buffer data_, bool truncated_ = false) noexcept
        : from(from_), data(std::move(data_)), truncated(truncated_) {}

    Address from;
    Buffer data;             ///< empty for a datagram without bytes
    bool truncated = false;  ///< it had more bytes than the receiver takes; they are lost
};

/// How a socket of datagrams is made.
class DatagramOptions {
public:
    /// Several sockets of the machine may have the port: all of them hear what is sent to a multicast group, one what
    /// is sent to it alone (SO_REUSEADDR, SO_REUSEPORT). Twisted: listenMultiple.
    DatagramOptions& listen_multiple(bool on = true) noexcept { return listen_multiple_ = on, *this; }
    /// May send to broadcast addresses (SO_BROADCAST).
    DatagramOptions& broadcast(bool on = true) noexcept { return broadcast_ = on, *this; }

    [[nodiscard]] bool listen_multiple() const noexcept { return listen_multiple_; }
    [[nodiscard]] bool broadcast() const noexcept { return broadcast_; }

private:
    bool listen_multiple_ = false;
    bool broadcast_ = false;
};

class DatagramSocket {
public:
    /// Waits for room to send; see wait_for_room(). Destroying it ends the wait.
    class RoomWaiter : public ListHook<> {
    public:
        /// From the loop, once: it is worth to try again, or the socket was closed.
        virtual void room() noexcept = 0;

    protected:
        ~RoomWaiter() = default;
    };

    /// `received` gets each datagram; called from the loop, must not throw. `failed` hears of errors (a positive
    /// errno): what a datagram sent earlier has brought back, ECONNREFUSED first of all, or that receiving has failed
    /// and is tried again a little later. None of them ends it.
    DatagramSocket(Reactor& reactor, Function<void(Datagram& datagram)> received, Function<void(int error)> failed);
    DatagramSocket(const DatagramSocket&) = delete;
    DatagramSocket& operator=(const DatagramSocket&) = delete;
    /// Stops receiving; the socket is closed once the kernel has let go of it. Nobody may wait for room.
    ~DatagramSocket();

    /// Binds at once, also before the reactor runs. Returns 0 or a negative errno, then nothing is open. Once.
    int open(const Address& local, const DatagramOptions& options = {});
    /// Takes a socket of datagrams that is bound already.
    int adopt(int fd);
    /// Begins to receive, also again after pause().
    void start();
    /// Leaves what arrives in the kernel's queue, which drops it when it is full, until start(). A few that have
    /// arrived already may still come.
    void pause();
    /// `stopped` is called when the reactor's shutdown closes the socket.
    void when_stopped(Function<void()> stopped);
    /// Stops receiving now and tells those who wait for room. `closed`, which may be empty, is called from the loop
    /// once the socket is closed; nothing is received after close() returned. The reactor's shutdown closes it too. Any
    /// number of calls, one of them with a `closed`.
    void close(Function<void()> closed);

    /// Whom it sends to and hears from; connect(2), also again. Returns 0 or a negative errno.
    int connect(const Address& to);
    /// Sends one datagram, which goes whole or not at all: to `to`, or to the peer of connect() when that is no
    /// address. Returns its size or a negative errno: -EAGAIN when there is no room; -EBADF once closed. What one sent
    /// earlier has brought back is told to `failed`, from the loop, and says nothing about this one.
    std::ptrdiff_t send(std::span<const Bytes> parts, const Address& to);
    /// Tells `waiter` when there may be room again. A UNIX socket must be connected: only then does the system know.
    void wait_for_room(RoomWaiter& waiter);

    /// setsockopt(2) and getsockopt(2); 0 or a negative errno.
    int set_option(int level, int name, const void* value, socklen_t size);
    int get_option(int level, int name, void* value, socklen_t size);

    [[nodiscard]] bool is_open() const noexcept;
    /// No address when closed, or when not connected.
    [[nodiscard]] Address local_address() const;
    [[nodiscard]] Address peer_address() const;

private:
    struct Core;  // outlives the DatagramSocket while the kernel holds its operations

    void take(int fd);

    Reactor& reactor_;
    Function<void(Datagram&)> received_;  // until there is a Core
    Function<void(int error)> failed_;
    Function<void()> stopped_;
    Core* core_ = nullptr;
};

}  // namespace lariat
