// SPDX-License-Identifier: MIT
#include <lariat/io/address.hpp>

#include <lariat/io/base/error.hpp>

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <net/if.h>

namespace lariat {
namespace {

constexpr std::size_t path_offset = offsetof(sockaddr_un, sun_path);
constexpr std::size_t path_room = sizeof(sockaddr_un::sun_path);  // 108, unix(7)

template <class Number>
bool parse_number(std::string_view text, Number& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

/// An interface's number: the number itself or the interface's name.
std::optional<std::uint32_t> parse_scope(std::string_view text) {
    std::uint32_t number = 0;
    if (parse_number(text, number)) return number;
    if (text.empty() || text.size() >= IF_NAMESIZE) return std::nullopt;
    number = ::if_nametoindex(std::string(text).c_str());
    if (number == 0) return std::nullopt;
    return number;
}

std::string why_no_path(std::string_view path) {
    if (path.empty()) return "a UNIX address needs a path";
    if (path == "@") return "an abstract UNIX address needs a name";
    if (path.size() >= path_room) return "a UNIX path has at most 107 bytes, this one " + std::to_string(path.size());
    return "a UNIX path cannot contain a NUL byte";
}

std::string why_no_host(std::string_view host) {
    if (host.empty()) return "the host is missing";
    const std::size_t percent = host.find('%');
    if (percent != std::string_view::npos && Address::from_host(host.substr(0, percent), 0)) {
        return "there is no network interface '" + std::string(host.substr(percent + 1)) + "'";
    }
    return "'" + std::string(host) + "' is no IP literal, and names must be resolved first";
}

/// Splits "host:port"; on failure the reason is the result.
std::string split(std::string_view text, std::string_view& host, std::uint16_t& port) {
    std::string_view rest;
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos) return "']' is missing";
        host = text.substr(1, end - 1);
        rest = text.substr(end + 1);
        if (!host.empty() && host.find(':') == std::string_view::npos) return "only IPv6 addresses stand in brackets";
    } else {
        const std::size_t colon = text.find(':');
        if (colon != std::string_view::npos && text.find(':', colon + 1) != std::string_view::npos) {
            return "an IPv6 address needs brackets, as in [::1]:80";
        }
        host = text.substr(0, colon);
        rest = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
    }
    if (rest.empty()) return "the port is missing";
    if (rest.front() != ':') return "':' and a port must follow ']'";
    if (!parse_number(rest.substr(1), port)) {
        return "'" + std::string(rest.substr(1)) + "' is no port number from 0 to 65535";
    }
    return {};
}

}  // namespace

Address::Address() noexcept { std::memset(&storage_, 0, sizeof storage_); }

Address::Address(const char* text) : Address(std::string(text)) {}

Address::Address(const std::string& text) : Address() {
    std::string why;
    const std::optional<Address> parsed = parse(text, &why);
    if (!parsed) throw UsageError(why);
    *this = *parsed;
}

std::optional<Address> Address::parse(std::string_view text, std::string* why) {
    std::optional<Address> address;
    std::string reason;
    if (text.starts_with("unix:")) {
        address = from_path(text.substr(5));
        if (!address) reason = why_no_path(text.substr(5));
    } else if (text.empty()) {
        reason = "it is empty";
    } else {
        std::string_view host;
        std::uint16_t port = 0;
        reason = split(text, host, port);
        if (reason.empty()) {
            address = from_host(host, port);
            if (!address) reason = why_no_host(host);
        }
    }
    if (!address && why) *why = "'" + std::string(text) + "' is not an address: " + reason;
    return address;
}

std::optional<Address> Address::from_host(std::string_view host, std::uint16_t port) {
    char text[INET6_ADDRSTRLEN] = {};
    const std::size_t percent = host.find('%');
    const std::string_view literal = host.substr(0, percent);
    if (literal.size() >= sizeof text || literal.find('\0') != std::string_view::npos) return std::nullopt;
    literal.copy(text, literal.size());

    Address address;
    if (::inet_pton(AF_INET6, text, &address.storage_.ipv6.sin6_addr) == 1) {
        address.storage_.ipv6.sin6_family = AF_INET6;
        address.storage_.ipv6.sin6_port = htons(port);
        address.size_ = sizeof(sockaddr_in6);
        if (percent != std::string_view::npos) {
            const std::optional<std::uint32_t> scope = parse_scope(host.substr(percent + 1));
            if (!scope) return std::nullopt;
            address.storage_.ipv6.sin6_scope_id = *scope;
        }
        return address;
    }
    if (percent == std::string_view::npos && ::inet_pton(AF_INET, text, &address.storage_.ipv4.sin_addr) == 1) {
        address.storage_.ipv4.sin_family = AF_INET;
        address.storage_.ipv4.sin_port = htons(port);
        address.size_ = sizeof(sockaddr_in);
        return address;
    }
    return std::nullopt;
}

std::optional<Address> Address::from_path(std::string_view path) {
    if (path.empty()) return std::nullopt;
    Address address;
    address.storage_.local.sun_family = AF_UNIX;
    if (path.front() == '@' || path.front() == '\0') {
        // An abstract name is all of its bytes, NULs included, and has no terminator.
        if (path.size() == 1 || path.size() > path_room) return std::nullopt;
        path.copy(address.storage_.local.sun_path, path.size());
        address.storage_.local.sun_path[0] = '\0';
        address.size_ = static_cast<socklen_t>(path_offset + path.size());
    } else {
        if (path.size() >= path_room || path.find('\0') != std::string_view::npos) return std::nullopt;
        path.copy(address.storage_.local.sun_path, path.size());
        address.size_ = static_cast<socklen_t>(path_offset + path.size() + 1);
    }
    return address;
}

Address Address::from_sockaddr(const sockaddr* from, socklen_t length) noexcept {
    Address address;
    sa_family_t family = AF_UNSPEC;
    if (from && length >= sizeof family) std::memcpy(&family, from, sizeof family);
    if (family == AF_INET && length >= sizeof(sockaddr_in)) {
        address.size_ = sizeof(sockaddr_in);
        std::memcpy(&address.storage_.ipv4, from, address.size_);
    } else if (family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
        address.size_ = sizeof(sockaddr_in6);
        std::memcpy(&address.storage_.ipv6, from, address.size_);
    } else if (family == AF_UNIX) {
        address.size_ = std::min<socklen_t>(length, sizeof(sockaddr_un));
        std::memcpy(&address.storage_.local, from, address.size_);
        const char* path = address.storage_.local.sun_path;
        if (address.size_ > path_offset && path[0] != '\0') {
            // unix(7): callers and the kernel may or may not count the terminator; here it always counts.
            const std::size_t used = ::strnlen(path, std::min(address.size_ - path_offset, path_room - 1));
            address.storage_.local.sun_path[used] = '\0';
            address.size_ = static_cast<socklen_t>(path_offset + used + 1);
        }
    }
    return address;
}

Address Address::any_ipv4(std::uint16_t port) noexcept {
    Address address;
    address.storage_.ipv4.sin_family = AF_INET;
    address.storage_.ipv4.sin_port = htons(port);
    address.size_ = sizeof(sockaddr_in);
    return address;
}

Address Address::loopback(std::uint16_t port) noexcept {
    Address address = any_ipv4(port);
    address.storage_.ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

Address::Family Address::family() const noexcept {
    switch (storage_.any.sa_family) {
    case AF_INET: return Family::ipv4;
    case AF_INET6: return Family::ipv6;
    case AF_UNIX: return Family::unix_path;
    default: return Family::none;
    }
}

std::string Address::host() const {
    char text[INET6_ADDRSTRLEN];
    switch (family()) {
    case Family::ipv4: return ::inet_ntop(AF_INET, &storage_.ipv4.sin_addr, text, sizeof text);
    case Family::ipv6: {
        std::string host = ::inet_ntop(AF_INET6, &storage_.ipv6.sin6_addr, text, sizeof text);
        if (scope_id() != 0) host += '%' + std::to_string(scope_id());
        return host;
    }
    case Family::unix_path: {
        if (size_ <= path_offset) return {};
        const char* path = storage_.local.sun_path;
        if (path[0] == '\0') return '@' + std::string(path + 1, size_ - path_offset - 1);
        // A file whose name begins with '@' must not read like an abstract name.
        return path[0] == '@' ? "./" + std::string(path) : std::string(path);
    }
    case Family::none: break;
    }
    return {};
}

std::uint16_t Address::port() const noexcept {
    switch (family()) {
    case Family::ipv4: return ntohs(storage_.ipv4.sin_port);
    case Family::ipv6: return ntohs(storage_.ipv6.sin6_port);
    default: return 0;
    }
}

void Address::set_port(std::uint16_t port) noexcept {
    if (family() == Family::ipv4) storage_.ipv4.sin_port = htons(port);
    if (family() == Family::ipv6) storage_.ipv6.sin6_port = htons(port);
}

std::uint32_t Address::flow_info() const noexcept {
    return family() == Family::ipv6 ? ntohl(storage_.ipv6.sin6_flowinfo) : 0;
}

std::uint32_t Address::scope_id() const noexcept { return family() == Family::ipv6 ? storage_.ipv6.sin6_scope_id : 0; }

std::string Address::str() const {
    switch (family()) {
    case Family::ipv4: return host() + ':' + std::to_string(port());
    case Family::ipv6: return '[' + host() + "]:" + std::to_string(port());
    case Family::unix_path: return "unix:" + host();
    case Family::none: break;
    }
    return "none";
}

bool operator==(const Address& a, const Address& b) noexcept {
    if (a.family() != b.family() || a.port() != b.port()) return false;
    switch (a.family()) {
    case Address::Family::ipv4: return a.storage_.ipv4.sin_addr.s_addr == b.storage_.ipv4.sin_addr.s_addr;
    case Address::Family::ipv6:
        return std::memcmp(&a.storage_.ipv6.sin6_addr, &b.storage_.ipv6.sin6_addr, sizeof(in6_addr)) == 0
               && a.scope_id() == b.scope_id() && a.flow_info() == b.flow_info();
    case Address::Family::unix_path:
        return a.size_ == b.size_
               && std::memcmp(a.storage_.local.sun_path, b.storage_.local.sun_path, a.size_ - path_offset) == 0;
    case Address::Family::none: return true;
    }
    return true;
}

}  // namespace lariat
