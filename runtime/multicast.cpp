// SPDX-License-Identifier: MIT
#include <lariat/runtime/multicast.hpp>

#include <lariat/runtime/datagram_socket.hpp>

#include <cerrno>
#include <netinet/in.h>
#include <optional>

namespace lariat {
namespace {

const sockaddr_in& ipv4_of(const Address& address) noexcept {
    return *reinterpret_cast<const sockaddr_in*>(address.data());
}

// An option and what IPv6 calls so.
struct IpOption {
    int level;
    int name;
};
struct IpOptions {
    IpOption ipv4;
    IpOption ipv6;
};
constexpr IpOptions ttl_option = {{IPPROTO_IP, IP_MULTICAST_TTL}, {IPPROTO_IPV6, IPV6_MULTICAST_HOPS}};
constexpr IpOptions loop_option = {{IPPROTO_IP, IP_MULTICAST_LOOP}, {IPPROTO_IPV6, IPV6_MULTICAST_LOOP}};
constexpr IpOptions interface_option = {{IPPROTO_IP, IP_MULTICAST_IF}, {IPPROTO_IPV6, IPV6_MULTICAST_IF}};
constexpr IpOptions join_option = {{IPPROTO_IP, IP_ADD_MEMBERSHIP}, {IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP}};
constexpr IpOptions leave_option = {{IPPROTO_IP, IP_DROP_MEMBERSHIP}, {IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP}};

/// The one for the family of `socket`, also when it is closed: then setting fails. Null for a socket of UNIX.
const IpOption* ip_option_of(const DatagramSocket& socket, const IpOptions& options) {
    switch (socket.local_address().family()) {
    case Address::Family::unix_path: return nullptr;
    case Address::Family::ipv6: return &options.ipv6;
    default: return &options.ipv4;
    }
}

int set_ip_option(DatagramSocket& socket, const IpOptions& options, const void* value, socklen_t size) {
    const IpOption* option = ip_option_of(socket, options);
    return option ? socket.set_option(option->level, option->name, value, size) : -EOPNOTSUPP;
}

int get_ip_option(DatagramSocket& socket, const IpOptions& options, void* value, socklen_t size) {
    const IpOption* option = ip_option_of(socket, options);
    return option ? socket.get_option(option->level, option->name, value, size) : -EOPNOTSUPP;
}

// An interface as system calls have it: by an address, or by its index, which is 0 for none.
struct Interface {
    in_addr address = {};
    std::uint32_t index = 0;
};

std::optional<Interface> find_interface(const std::string& text) {
    if (text.empty()) return Interface{};
    const std::optional<Address> address = Address::from_host(text, 0);
    if (address && address->family() == Address::Family::ipv4) return Interface{ipv4_of(*address).sin_addr, 0};
    const std::optional<Address> scoped = Address::from_host("fe80::%" + text, 0);  // a scope is an interface
    if (!scoped) return std::nullopt;
    return Interface{{}, scoped->scope_id()};
}

bool is_ipv6(const DatagramSocket& socket) { return socket.local_address().family() == Address::Family::ipv6; }

}  // namespace

int join_group(DatagramSocket& socket, const Address& group, const std::string& interface, bool join) {
    const std::optional<Interface> where = find_interface(interface);
    if (!group.is_ip()) return -EINVAL;
    if (!where) return -ENODEV;
    if (socket.local_address().family() == Address::Family::unix_path) return -EOPNOTSUPP;
    const IpOptions& options = join ? join_option : leave_option;
    if (group.family() == Address::Family::ipv4) {  // which a socket of IPv6 may join, too
        const ip_mreqn request = {ipv4_of(group).sin_addr, where->address, static_cast<int>(where->index)};
        return socket.set_option(options.ipv4.level, options.ipv4.name, &request, sizeof request);
    }
    if (where->address.s_addr != 0) return -ENODEV;
    const ipv6_mreq request = {reinterpret_cast<const sockaddr_in6*>(group.data())->sin6_addr,
                               interface.empty() ? group.scope_id() : where->index};
    return socket.set_option(options.ipv6.level, options.ipv6.name, &request, sizeof request);
}

int set_multicast_ttl(DatagramSocket& socket, int ttl) {
    return ttl < 0 || ttl > 255 ? -EINVAL : set_ip_option(socket, ttl_option, &ttl, sizeof ttl);
}

int multicast_ttl(DatagramSocket& socket, int& ttl) { return get_ip_option(socket, ttl_option, &ttl, sizeof ttl); }

int set_multicast_loop(DatagramSocket& socket, bool loop) {
    const int value = loop ? 1 : 0;
    return set_ip_option(socket, loop_option, &value, sizeof value);
}

int multicast_loop(DatagramSocket& socket, bool& loop) {
    int value = 0;
    const int result = get_ip_option(socket, loop_option, &value, sizeof value);
    if (result == 0) loop = value != 0;
    return result;
}

int set_multicast_interface(DatagramSocket& socket, const std::string& interface) {
    const std::optional<Interface> where = find_interface(interface);
    if (!where) return -ENODEV;
    const int index = static_cast<int>(where->index);
    if (is_ipv6(socket)) {
        if (where->address.s_addr != 0) return -ENODEV;
        return set_ip_option(socket, interface_option, &index, sizeof index);
    }
    if (index == 0) return set_ip_option(socket, interface_option, &where->address, sizeof where->address);
    const ip_mreqn request = {{}, {}, index};
    return set_ip_option(socket, interface_option, &request, sizeof request);
}

int multicast_interface(DatagramSocket& socket, std::string& interface) {
    if (is_ipv6(socket)) {
        int index = 0;
        const int result = get_ip_option(socket, interface_option, &index, sizeof index);
        if (result == 0) interface = std::to_string(index);
        return result;
    }
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    const int result = get_ip_option(socket, interface_option, &address.sin_addr, sizeof address.sin_addr);
    if (result == 0) {
        interface = Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&address), sizeof address).host();
    }
    return result;
}

}  // namespace lariat
