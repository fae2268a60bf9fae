// SPDX-License-Identifier: MIT
// Address: where a socket is or connects to. IPv4, IPv6 (with scope) and UNIX, parsed from text and printed.
#pragma once

#include <cstdint>
#include <netinet/in.h>
#include <optional>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>

namespace lariat {

/// A socket address: a value, no resources behind it.
///
/// Text forms: `127.0.0.1:8000`, `[::1]:8000`, `[fe80::1%eth0]:8000`, `unix:/run/service.sock`, `unix:@abstract`.
/// Names are not addresses; they are resolved first (Reactor::resolve).
class Address {
public:
    enum class Family : std::uint8_t { none, ipv4, ipv6, unix_path };

    /// No address; what an unnamed UNIX peer has.
    Address() noexcept;
    /// Parses `text`. Errors: UsageError naming the text and what is wrong with it.
    Address(const char* text);
    Address(const std::string& text);

    /// Parses `text`; nothing when it is not an address. `why`, when given, receives one clear line.
    static std::optional<Address> parse(std::string_view text, std::string* why = nullptr);
    /// An IP literal (no brackets) and a port; nothing when `host` is no literal.
    static std::optional<Address> from_host(std::string_view host, std::uint16_t port);
    /// A UNIX socket's path; a leading '@' or NUL names the abstract namespace. Nothing when longer than 107 bytes.
    static std::optional<Address> from_path(std::string_view path);
    static Address from_sockaddr(const sockaddr* address, socklen_t length) noexcept;
    static Address any_ipv4(std::uint16_t port) noexcept;
    static Address loopback(std::uint16_t port) noexcept;

    [[nodiscard]] Family family() const noexcept;
    [[nodiscard]] bool is_ip() const noexcept { return family() == Family::ipv4 || family() == Family::ipv6; }
    /// "127.0.0.1", "::1", "fe80::1%2"; the path of a UNIX address; "" when there is none.
    [[nodiscard]] std::string host() const;
    /// 0 for UNIX addresses.
    [[nodiscard]] std::uint16_t port() const noexcept;
    void set_port(std::uint16_t port) noexcept;
    /// IPv6 flow information and scope, 0 for other families.
    [[nodiscard]] std::uint32_t flow_info() const noexcept;
    [[nodiscard]] std::uint32_t scope_id() const noexcept;
    /// The form the constructor parses; "unix:" alone for an unnamed socket and "none" for no address.
    [[nodiscard]] std::string str() const;

    /// For system calls.
    [[nodiscard]] const sockaddr* data() const noexcept { return &storage_.any; }
    [[nodiscard]] socklen_t size() const noexcept { return size_; }
    [[nodiscard]] int domain() const noexcept { return storage_.any.sa_family; }

    friend bool operator==(const Address& a, const Address& b) noexcept;

private:
    union Storage {
        sockaddr any;
        sockaddr_in ipv4;
        sockaddr_in6 ipv6;
        sockaddr_un local;
    };
    Storage storage_;
    socklen_t size_ = 0;
};

}  // namespace lariat
