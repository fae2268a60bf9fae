// SPDX-License-Identifier: MIT
// Acceptor: a listening socket on a Reactor. Hands over accepted descriptors, survives a full descriptor table, and
// ends only when closed.
//
// Threads: the reactor's.
#pragma once

#include <lariat/io/address.hpp>
#include <lariat/io/base/function.hpp>

#include <string>
#include <utility>

namespace lariat {

class Reactor;

/// How a listening socket is made.
class ListenOptions {
public:
    /// Length of the kernel's queue of connections nobody accepted yet. Twisted's default.
    ListenOptions& backlog(int length) noexcept { return backlog_ = length, *this; }
    /// The IP literal to listen on; "" is every IPv4 address, an IPv6 literal selects IPv6.
    ListenOptions& interface(std::string address) noexcept { return interface_ = std::move(address), *this; }
    /// Several sockets of the machine may share the port; the kernel spreads connections over them (SO_REUSEPORT).
    ListenOptions& reuse_port(bool on = true) noexcept { return reuse_port_ = on, *this; }

    [[nodiscard]] int backlog() const noexcept { return backlog_; }
    [[nodiscard]] const std::string& interface() const noexcept { return interface_; }
    [[nodiscard]] bool reuse_port() const noexcept { return reuse_port_; }

private:
    int backlog_ = 50;
    std::string interface_;
    bool reuse_port_ = false;
};

class Acceptor {
public:
    /// `accepted` gets each connection's descriptor, which is then its own to close through the backend; called from
    /// the loop, must not throw. `failed` hears of errors (a positive errno), for the log, once until accepting works
    /// again; none of them ends it.
    Acceptor(Reactor& reactor, Function<void(int fd)> accepted, Function<void(int error)> failed);
    Acceptor(const Acceptor&) = delete;
    Acceptor& operator=(const Acceptor&) = delete;
    /// Stops accepting; the socket is closed once the kernel has let go of it.
    ~Acceptor();

    /// Binds and listens at once, also before the reactor runs. Returns 0 or a negative errno, then nothing is open.
    int listen(const Address& address, const ListenOptions& options);
    /// Takes a socket that listens already; closing then does not shut it down for its other holders.
    int adopt(int fd);
    /// Begins to accept, also again after pause().
    void start();
    /// Leaves new connections in the kernel's queue until start(). A few that were accepted already may still come.
    void pause();
    /// Stops accepting now. `closed`, which may be empty, is called from the loop once the socket is closed; nothing is
    /// accepted after close() returned. An Acceptor listens once; the reactor's shutdown closes it too.
    void close(Function<void()> closed);

    [[nodiscard]] bool is_open() const noexcept;
    [[nodiscard]] Address local_address() const;

private:
    struct Core;  // outlives the Acceptor while the kernel holds its operation

    void take(int fd);

    Reactor& reactor_;
    Function<void(int fd)> accepted_;  // until there is a Core
    Function<void(int error)> failed_;
    Core* core_ = nullptr;
};

}  // namespace lariat
