// SPDX-License-Identifier: MIT
// DatagramProtocol: what is said over a socket of datagrams (Twisted: protocol.DatagramProtocol). The port it is put on
// tells it of datagrams and of its own start and stop.
//
// Threads: the reactor's.
#pragma once

#include <lariat/io/address.hpp>
#include <lariat/io/base/assert.hpp>
#include <lariat/io/base/bytes.hpp>
#include <lariat/proto/datagram_transport.hpp>

#include <string>

namespace lariat {

class DatagramProtocol {
public:
    DatagramProtocol() noexcept = default;
    DatagramProtocol(const DatagramProtocol&) = delete;
    DatagramProtocol& operator=(const DatagramProtocol&) = delete;
    virtual ~DatagramProtocol() = default;

    /// The first port is about to use it, and the last has stopped to. Any number of times, in turn.
    virtual void start_protocol() {}
    virtual void stop_protocol() {}
    /// One datagram, whole. Lifetime: `datagram` dies with the call.
    virtual void datagram_received(Bytes datagram, const Address& from);
    /// One datagram that was longer than its port takes; the rest is lost. Unless overridden, datagram_received() gets
    /// it as if it were whole.
    virtual void truncated_datagram_received(Bytes datagram, const Address& from) { datagram_received(datagram, from); }
    /// What was sent to the connected peer was refused; only connected ports are told.
    virtual void connection_refused() {}
    /// Names the protocol in the log: its class without namespaces.
    [[nodiscard]] virtual std::string log_prefix() const;

    /// Ties it to `transport` and starts it. Called by ports and test fakes. It has one transport at a time, and none
    /// when start_protocol() throws.
    void make_connection(DatagramTransport& transport);
    /// Counts a port that begins to use it; the first one starts it.
    void do_start();
    /// Counts a port that has stopped; the transport is gone then, and the last one stops it.
    void do_stop();

    /// The transport of make_connection(), until do_stop().
    [[nodiscard]] DatagramTransport& transport() const noexcept {
        LARIAT_CHECK(transport_, "a DatagramProtocol has a transport() from start_protocol() to stop_protocol() only");
        return *transport_;
    }
    [[nodiscard]] bool has_transport() const noexcept { return transport_ != nullptr; }
    /// How many ports use it now.
    [[nodiscard]] unsigned num_ports() const noexcept { return num_ports_; }
    /// Whether "Starting protocol ..." and "Stopping protocol ..." are logged. On by default.
    void set_noisy(bool noisy) noexcept { noisy_ = noisy; }

private:
    DatagramTransport* transport_ = nullptr;
    unsigned num_ports_ = 0;
    bool noisy_ = true;
};

}  // namespace lariat
