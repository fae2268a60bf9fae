// SPDX-License-Identifier: MIT
// UdpPort: a bound UDP socket with a DatagramProtocol on it, which is its transport, too (Twisted: udp.Port,
// udp.MulticastPort). It keeps itself and the protocol alive while it listens. Whatever a datagram brings back, only
// stop_listening() and the reactor's shutdown close it.
//
// Threads: the reactor's.
#pragma once

#include <lariat/proto/datagram_protocol.hpp>
#include <lariat/proto/datagram_transport.hpp>
#include <lariat/proto/stop_waiters.hpp>
#include <lariat/runtime/datagram_socket.hpp>
#include <lariat/runtime/shutdown_listener.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace lariat {

class Reactor;

/// How a UdpPort is made.
class UdpOptions {
public:
    /// The IP literal to listen on; "" is every IPv4 address, an IPv6 literal selects IPv6.
    UdpOptions& interface(std::string address) noexcept { return interface_ = std::move(address), *this; }
    /// How many bytes of a datagram are taken; the protocol is told of longer ones. No UDP datagram is longer than the
    /// default (Twisted's is 8192).
    UdpOptions& max_packet_size(std::size_t bytes) noexcept { return max_packet_size_ = bytes, *this; }
    /// Several sockets of the machine may have the port: all of them hear what is sent to a multicast group, one what
    /// is sent to it alone (SO_REUSEADDR, SO_REUSEPORT).
    UdpOptions& listen_multiple(bool on = true) noexcept { return listen_multiple_ = on, *this; }

    [[nodiscard]] const std::string& interface() const noexcept { return interface_; }
    [[nodiscard]] std::size_t max_packet_size() const noexcept { return max_packet_size_; }
    [[nodiscard]] bool listen_multiple() const noexcept { return listen_multiple_; }

private:
    std::string interface_;
    std::size_t max_packet_size_ = 65535;
    bool listen_multiple_ = false;
};

class UdpPort final : public DatagramTransport, public std::enable_shared_from_this<UdpPort>, private ShutdownListener {
    struct Private {};

public:
    /// Made by Reactor::listen_udp() and its like, which also start it. `descriptor`, if given, is a UDP socket that is
    /// bound already.
    static std::shared_ptr<UdpPort> create(Reactor& reactor, std::uint16_t port,
                                           std::shared_ptr<DatagramProtocol> protocol, const UdpOptions& options,
                                           std::optional<int> descriptor = {});
    UdpPort(Private, Reactor& reactor, std::uint16_t port, std::shared_ptr<DatagramProtocol> protocol,
            const UdpOptions& options, std::optional<int> descriptor);
    UdpPort(const UdpPort&) = delete;
    UdpPort& operator=(const UdpPort&) = delete;
    ~UdpPort();

    /// Binds, starts the protocol and begins to receive; again after stop_listening(), on the same port or, when that
    /// was 0, on a new one. Errors: CannotListenError, and InvalidAddressError when the interface is no IP literal,
    /// then the protocol is not started; what start_protocol() throws, then the port is closed; UsageError while
    /// listening.
    void start_listening();
    /// Receives and sends nothing from now on. Fires from the loop, after the socket is closed and the protocol
    /// stopped; fails with what stop_protocol() threw. Any number of calls; on a stopped port it has fired already.
    Deferred<> stop_listening() override;

    using DatagramTransport::write;
    using DatagramTransport::write_sequence;
    void write(Bytes datagram, const Address& to) override;
    void write_sequence(std::span<const Bytes> parts, const Address& to) override;
    void connect(std::string_view host, std::uint16_t port) override;

    /// The address it listens on, with the port the kernel chose, and the peer of connect(); the last ones after it was
    /// stopped.
    [[nodiscard]] Address host() const override { return host_; }
    [[nodiscard]] Address peer() const override { return peer_; }

    // Errors of all of these, also: UsageError when it does not listen.
    [[nodiscard]] bool broadcast_allowed() const override;
    void set_broadcast_allowed(bool allowed) override;
    [[nodiscard]] int ttl() const override;
    void set_ttl(int hops) override;
    [[nodiscard]] bool loopback_mode() const override;
    void set_loopback_mode(bool on) override;
    [[nodiscard]] std::string outgoing_interface() const override;
    Deferred<> set_outgoing_interface(std::string_view interface) override;

    [[nodiscard]] bool listening() const noexcept { return state_ == State::listening; }
    [[nodiscard]] DatagramProtocol& protocol() const noexcept { return *protocol_; }
    [[nodiscard]] const UdpOptions& options() const noexcept { return options_; }
    [[nodiscard]] Reactor& reactor() const noexcept { return *reactor_; }
    /// "<Echo on 8000>", "<Echo (not listening)>".
    [[nodiscard]] std::string str() const;

private:
    enum class State : std::uint8_t { stopped, listening, closing };

    void reactor_stopping() noexcept override;
    Deferred<> change_membership(std::string_view group, std::string_view interface, bool join) override;
    void open();
    int adopt(DatagramSocket& socket, int descriptor);
    void close() noexcept;
    void closed() noexcept;
    void received(const Datagram& datagram) noexcept;
    void failed(int error) noexcept;
    void refused() noexcept;
    void send(std::span<const Bytes> parts, const Address& to);
    void check_family(const Address& to, std::string_view call) const;
    [[nodiscard]] DatagramSocket& socket() const;
    [[nodiscard]] bool is_connected() const noexcept { return peer_.family() != Address::Family::none; }

    Reactor* reactor_;
    std::shared_ptr<DatagramProtocol> protocol_;
    const UdpOptions options_;
    Address host_;
    Address peer_;
    std::unique_ptr<DatagramSocket> socket_;  // unless stopped
    std::shared_ptr<UdpPort> self_;           // unless stopped
    detail::StopWaiters waiting_;             // of stop_listening()
    std::optional<int> descriptor_;           // to be adopted
    std::uint16_t port_;
    State state_ = State::stopped;
    bool protocol_started_ = false;
};

}  // namespace lariat
