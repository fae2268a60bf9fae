// SPDX-License-Identifier: MIT
// DatagramTransport: the way out for a DatagramProtocol (Twisted: IUDPTransport, IMulticastTransport). An interface, so
// that other carriers and test fakes fit; udp_port.hpp is the one over sockets.
//
// Threads: the reactor's. No call of these enters a DatagramProtocol: callbacks come from the loop.
#pragma once

#include <lariat/coro/deferred.hpp>
#include <lariat/io/address.hpp>
#include <lariat/io/base/bytes.hpp>

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace lariat {

/// Only write() must be overridden. What else a carrier leaves as it is, it does not have: asking for it is a
/// UsageError.
class DatagramTransport {
public:
    /// Sends one datagram to `to`, or to the peer of connect() when that is no address; at once, nothing is queued
    /// here. Nobody hears of one that the network loses. After stop_listening() nothing happens.
    ///
    /// Errors: InvalidAddressError when `to` is of another family than host(); MessageLengthError; UsageError when it
    /// is not connected and `to` is no address, or connected to another one; Error for what else the system says. Its
    /// os_error() is EAGAIN when there is no room to send: as with one that was lost, drop it or send it again later.
    virtual void write(Bytes datagram, const Address& to) = 0;
    void write(Bytes datagram) { write(datagram, Address()); }
    /// `host` is an IP literal, or "<broadcast>" for 255.255.255.255. Errors, beside those: InvalidAddressError for a
    /// name.
    void write(Bytes datagram, std::string_view host, std::uint16_t port);
    /// Sends one datagram of all the parts.
    virtual void write_sequence(std::span<const Bytes> parts, const Address& to);
    void write_sequence(std::initializer_list<Bytes> parts, const Address& to = {}) {
        write_sequence(std::span<const Bytes>(parts.begin(), parts.size()), to);
    }

    /// Sends to this peer and hears from it alone, but for what had come already; the protocol is told when the peer
    /// refuses. Only IP literals, and only once. Errors: UsageError the second time; InvalidAddressError for a name and
    /// for the other family; Error for what else the system says.
    virtual void connect(std::string_view host, std::uint16_t port);
    /// Nothing comes any more. Fires from the loop when it has ended and the protocol was stopped. Any number of calls.
    virtual Deferred<> stop_listening();
    /// The same (Twisted, deprecated there).
    void lose_connection() { static_cast<void>(stop_listening()); }

    [[nodiscard]] virtual Address host() const;
    /// Of connect(); else no address.
    [[nodiscard]] virtual Address peer() const;

    /// Whether broadcasts may be sent (SO_BROADCAST). Off by default; then the system refuses with EACCES.
    [[nodiscard]] virtual bool broadcast_allowed() const;
    virtual void set_broadcast_allowed(bool allowed);

    /// Hears what is sent to the multicast group, an IP literal, or no more. `interface` is a name of a network
    /// interface, its index or, for IPv4, its address; empty lets the system choose. Errors, of the Deferred, which has
    /// fired already: InvalidAddressError when `group` is no IP literal, MulticastJoinError for everything else.
    Deferred<> join_group(std::string_view group, std::string_view interface = {}) {
        return change_membership(group, interface, true);
    }
    Deferred<> leave_group(std::string_view group, std::string_view interface = {}) {
        return change_membership(group, interface, false);
    }
    /// How many hops what is sent to groups may go, 0 to 255; 1 by default, the local network. Errors: Error.
    [[nodiscard]] virtual int ttl() const;
    virtual void set_ttl(int hops);
    /// Whether members on this host hear it too, also this one. On by default.
    [[nodiscard]] virtual bool loopback_mode() const;
    virtual void set_loopback_mode(bool on);
    /// The interface it leaves by, as in join_group(). Read back it is the address, "0.0.0.0" for none, or for IPv6 the
    /// index. The Deferred has fired already. Errors: Error, of the Deferred.
    [[nodiscard]] virtual std::string outgoing_interface() const;
    virtual Deferred<> set_outgoing_interface(std::string_view interface);

protected:
    ~DatagramTransport() = default;

    virtual Deferred<> change_membership(std::string_view group, std::string_view interface, bool join);
};

}  // namespace lariat
