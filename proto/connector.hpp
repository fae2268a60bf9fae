// SPDX-License-Identifier: MIT
// Connector: makes one outgoing TCP connection for a ClientFactory, any number of times one after the other (Twisted:
// IConnector). It keeps itself alive while it is connecting or connected.
//
//   disconnected --connect()--> connecting --established--> connected
//        ^----failed, timeout, stop_connecting()---/             |
//        ^--------------------------------connection lost--------/
//
// Threads: the reactor's.
#pragma once

#include <lariat/io/address.hpp>
#include <lariat/io/base/clock.hpp>
#include <lariat/proto/protocol.hpp>
#include <lariat/runtime/connect_attempt.hpp>
#include <lariat/runtime/delayed_call.hpp>
#include <lariat/runtime/resolver.hpp>
#include <lariat/runtime/shutdown_listener.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace lariat {

class ClientFactory;
class Reactor;
class TcpTransport;

/// How a connection is made.
class ConnectOptions {
public:
    /// The limit for name lookup and connecting together; 30 s unless set, as in Twisted.
    ConnectOptions& timeout(Duration limit) noexcept { return timeout_ = limit, *this; }
    ConnectOptions& no_timeout() noexcept { return timeout_.reset(), *this; }
    /// The local address to connect from; port 0 lets the kernel choose.
    ConnectOptions& bind_address(const Address& address) noexcept { return bind_address_ = address, *this; }

    [[nodiscard]] std::optional<Duration> timeout() const noexcept { return timeout_; }
    [[nodiscard]] const std::optional<Address>& bind_address() const noexcept { return bind_address_; }

private:
    std::optional<Duration> timeout_ = std::chrono::seconds(30);
    std::optional<Address> bind_address_;
};

/// Where a Connector goes, as it was given: the host may be a name.
struct Destination {
    std::string host;
    std::uint16_t port = 0;

    /// "example.org:80", "[::1]:80".
    [[nodiscard]] std::string str() const;
    friend bool operator==(const Destination&, const Destination&) = default;
};

class Connector final : public std::enable_shared_from_this<Connector>, private ShutdownListener {
    struct Private {};

public:
    enum class State : std::uint8_t { disconnected, connecting, connected };

    /// Made by Reactor::connect_tcp(); does not connect yet.
    static std::shared_ptr<Connector> create(Reactor& reactor, Destination destination,
                                             std::shared_ptr<ClientFactory> factory, const ConnectOptions& options);
    Connector(Private, Reactor& reactor, Destination destination, std::shared_ptr<ClientFactory> factory,
              const ConnectOptions& options);
    Connector(const Connector&) = delete;
    Connector& operator=(const Connector&) = delete;
    ~Connector();

    /// Connects, also from within the factory's client_connection_failed() and client_connection_lost(). Starts the
    /// factory when this Connector is not using it and calls started_connecting(); the attempt begins in the next turn.
    /// Errors: UsageError unless it is disconnected.
    void connect();
    /// Gives up. client_connection_failed(UserError) is called from within. Errors: NotConnectingError.
    void stop_connecting();
    /// Whatever it takes: stop_connecting(), or lose_connection() on the transport, or nothing.
    void disconnect();

    [[nodiscard]] State state() const noexcept { return state_; }
    [[nodiscard]] const Destination& destination() const noexcept { return destination_; }
    [[nodiscard]] ClientFactory& factory() const noexcept { return *factory_; }
    [[nodiscard]] const ConnectOptions& options() const noexcept { return options_; }
    [[nodiscard]] Reactor& reactor() const noexcept { return *reactor_; }
    /// Null unless connected.
    [[nodiscard]] std::shared_ptr<Transport> transport() const;

private:
    friend class TcpTransport;

    void reactor_stopping() noexcept override;
    void look_up();
    void attempt(const Address& to);
    void attempted(const Address& to, int result);
    void connected(const Address& peer, int fd);
    void forget_attempt() noexcept;
    void connection_failed(const Failure& reason);
    void connection_lost(const Failure& reason);
    void stop_factory_unless_reconnecting() noexcept;

    Reactor* reactor_;
    Destination destination_;
    std::shared_ptr<ClientFactory> factory_;
    ConnectOptions options_;
    DelayedCall begin_;
    DelayedCall timeout_;
    ResolveRequest lookup_;
    ConnectAttempt attempt_;
    std::shared_ptr<TcpTransport> transport_;
    std::shared_ptr<Connector> self_;  // from look_up() on, until disconnected
    State state_ = State::disconnected;
    bool factory_started_ = false;
};

}  // namespace lariat
