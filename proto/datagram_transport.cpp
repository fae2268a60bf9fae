// SPDX-License-Identifier: MIT
#include <lariat/proto/datagram_transport.hpp>

#include <lariat/io/base/error.hpp>
#include <lariat/runtime/connection_error.hpp>

#include <optional>

namespace lariat {
namespace {

UsageError without(const char* what) { return UsageError(std::string("this transport has no ").append(what)); }

}  // namespace

void DatagramTransport::write(Bytes datagram, std::string_view host, std::uint16_t port) {
    const std::optional<Address> to = Address::from_host(host == "<broadcast>" ? "255.255.255.255" : host, port);
    if (!to) throw InvalidAddressError(host, "write() only accepts IP addresses, not hostnames");
    write(datagram, *to);
}

void DatagramTransport::write_sequence(std::span<const Bytes> parts, const Address& to) {
    std::string datagram;
    for (const Bytes part : parts) datagram += part.text();
    write(datagram, to);
}

void DatagramTransport::connect(std::string_view, std::uint16_t) { throw without("connect()"); }
Deferred<> DatagramTransport::stop_listening() { return fail(without("stop_listening()")); }
Address DatagramTransport::host() const { throw without("host()"); }
Address DatagramTransport::peer() const { throw without("peer()"); }
bool DatagramTransport::broadcast_allowed() const { throw without("broadcasts"); }
void DatagramTransport::set_broadcast_allowed(bool) { throw without("broadcasts"); }
int DatagramTransport::ttl() const { throw without("multicast"); }
void DatagramTransport::set_ttl(int) { throw without("multicast"); }
bool DatagramTransport::loopback_mode() const { throw without("multicast"); }
void DatagramTransport::set_loopback_mode(bool) { throw without("multicast"); }
std::string DatagramTransport::outgoing_interface() const { throw without("multicast"); }
Deferred<> DatagramTransport::set_outgoing_interface(std::string_view) { return fail(without("multicast")); }
Deferred<> DatagramTransport::change_membership(std::string_view, std::string_view, bool) {
    return fail(without("multicast"));
}

}  // namespace lariat
