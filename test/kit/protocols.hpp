// SPDX-License-Identifier: MIT
// Small parts for tests of protocols: one that keeps what it receives, a factory that tells of what it built, a
// producer that counts to ten, a datagram transport that keeps what is sent, and a wait for the end of connections
// (Twisted: twisted.test.proto_helpers).
//
// Threads: the reactor's.
#pragma once

#include <lariat/coro/deferred.hpp>
#include <lariat/io/address.hpp>
#include <lariat/io/base/function.hpp>
#include <lariat/proto/datagram_transport.hpp>
#include <lariat/proto/factory.hpp>
#include <lariat/proto/producer.hpp>
#include <lariat/proto/protocol.hpp>
#include <lariat/proto/transport.hpp>
#include <lariat/runtime/reactor.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lariat::testing {

/// Keeps everything it receives and says when its connection is gone.
class AccumulatingProtocol : public Protocol {
public:
    void connection_made() override;
    void data_received(Bytes received) override { data += received.text(); }
    void connection_lost(const Failure& reason) override;

    std::string data;
    bool made = false;
    bool closed = false;
    Failure closed_reason;
    Deferred<> closed_deferred;  ///< fires in connection_lost()

private:
    friend class AccumulatingFactory;
    Function<void()> on_made_;
};

/// Builds AccumulatingProtocols, which do not know it; keeps the last one and says when its connection is made.
class AccumulatingFactory : public ClientFactory {
public:
    AccumulatingFactory() { set_noisy(false); }
    ProtocolPtr build_protocol(const Address& peer_address) override;
    /// Fails protocol_connection_made too.
    void client_connection_failed(Connector& connector, const Failure& reason) override;

    std::shared_ptr<AccumulatingProtocol> protocol;
    Address peer;  ///< of the last connection
    /// Fires with the protocol inside its connection_made(), for the first connection.
    Deferred<std::shared_ptr<AccumulatingProtocol>> protocol_connection_made;
};

/// A pull producer that writes the numbers 0 to 9, one for each resume_producing(), and unregisters itself. Errors:
/// UsageError when it is asked for more.
class NonStreamingProducer : public PullProducer {
public:
    /// Lifetime: `consumer` must outlive its use.
    explicit NonStreamingProducer(Consumer& consumer) noexcept : consumer_(&consumer) {}
    void resume_producing() override;
    void stop_producing() override;

    int counter = 0;
    bool stopped = false;
    Deferred<> result;  ///< fires when it is done, or was stopped

private:
    Consumer* consumer_;  // null when it is done
};

/// Keeps the datagrams that are sent, and what else a DatagramProtocol asks for. The test calls datagram_received() and
/// connection_refused() itself.
class FakeDatagramTransport final : public DatagramTransport {
public:
    /// The host is 10.0.0.1:12345, unless it is set.
    FakeDatagramTransport() = default;
    FakeDatagramTransport& set_host(const Address& host) noexcept { return host_ = host, *this; }

    /// Each datagram with the address it was given; that is none for the peer of connect().
    std::vector<std::pair<std::string, Address>> written;
    /// The groups it is a member of, and over which interface.
    std::vector<std::pair<std::string, std::string>> groups;
    bool stopped = false;  ///< stop_listening() was called

    using DatagramTransport::write;
    void write(Bytes datagram, const Address& to) override { written.emplace_back(datagram.str(), to); }
    void connect(std::string_view host, std::uint16_t port) override;
    /// Has fired already. The protocol is not stopped: the test calls do_stop().
    Deferred<> stop_listening() override;
    [[nodiscard]] Address host() const override { return host_; }
    [[nodiscard]] Address peer() const override { return peer_; }
    [[nodiscard]] bool broadcast_allowed() const override { return broadcast_allowed_; }
    void set_broadcast_allowed(bool allowed) override { broadcast_allowed_ = allowed; }
    [[nodiscard]] int ttl() const override { return ttl_; }
    void set_ttl(int hops) override { ttl_ = hops; }
    [[nodiscard]] bool loopback_mode() const override { return loopback_mode_; }
    void set_loopback_mode(bool on) override { loopback_mode_ = on; }
    [[nodiscard]] std::string outgoing_interface() const override { return outgoing_interface_; }
    Deferred<> set_outgoing_interface(std::string_view interface) override;

private:
    /// Errors, of the Deferred: MulticastJoinError for a membership that is there already, or is not.
    Deferred<> change_membership(std::string_view group, std::string_view interface, bool join) override;

    Address host_{"10.0.0.1:12345"};
    Address peer_;
    std::string outgoing_interface_ = "0.0.0.0";
    int ttl_ = 1;
    bool broadcast_allowed_ = false;
    bool loopback_mode_ = true;
};

/// Fires once the connections of all `protocols` are gone. Looks every 10 ms of the reactor's time.
///
/// Cancellation: stops looking.
Deferred<> wait_until_all_disconnected(Reactor& reactor, std::vector<ProtocolPtr> protocols);

}  // namespace lariat::testing
