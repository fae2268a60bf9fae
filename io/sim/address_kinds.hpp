// SPDX-License-Identifier: MIT
// What kind an IP address is of; the questions the parts of a simulated network ask.
#pragma once

#include <lariat/io/address.hpp>

#include <netinet/in.h>

namespace lariat::sim {

inline std::uint32_t ipv4_number(const Address& address) noexcept {
    return ntohl(reinterpret_cast<const sockaddr_in*>(address.data())->sin_addr.s_addr);
}
inline const in6_addr& ipv6_bytes(const Address& address) noexcept {
    return reinterpret_cast<const sockaddr_in6*>(address.data())->sin6_addr;
}

inline bool is_any(const Address& address) noexcept {
    if (address.family() == Address::Family::ipv4) return ipv4_number(address) == INADDR_ANY;
    return IN6_IS_ADDR_UNSPECIFIED(&ipv6_bytes(address));
}

inline bool is_loopback(const Address& address) noexcept {
    if (address.family() == Address::Family::ipv4) return ipv4_number(address) >> 24 == IN_LOOPBACKNET;
    return IN6_IS_ADDR_LOOPBACK(&ipv6_bytes(address));
}

inline bool is_multicast(const Address& address) noexcept {
    if (address.family() == Address::Family::ipv4) return IN_MULTICAST(ipv4_number(address));
    return IN6_IS_ADDR_MULTICAST(&ipv6_bytes(address));
}

/// Where what is sent to `to` goes: to this host when that is any address, as on Linux.
inline Address destination_of(const Address& to) noexcept {
    if (!is_any(to)) return to;
    if (to.family() == Address::Family::ipv4) return Address::loopback(to.port());
    sockaddr_in6 loopback{};
    loopback.sin6_family = AF_INET6;
    loopback.sin6_port = htons(to.port());
    loopback.sin6_addr = in6addr_loopback;
    return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&loopback), sizeof loopback);
}

/// 255.255.255.255; a simulated network has no smaller ones.
inline bool is_broadcast(const Address& address) noexcept {
    return address.family() == Address::Family::ipv4 && ipv4_number(address) == INADDR_BROADCAST;
}

}  // namespace lariat::sim
