// SPDX-License-Identifier: MIT
// connect(): a TcpStream to an address, or to a host by name, whose addresses are tried one after another.
//
// Threads: the reactor's.
#pragma once

#include <lariat/coro/operation.hpp>
#include <lariat/coro/tcp_stream.hpp>
#include <lariat/io/address.hpp>
#include <lariat/runtime/connect_attempt.hpp>
#include <lariat/runtime/failure.hpp>
#include <lariat/runtime/ready.hpp>
#include <lariat/runtime/resolver.hpp>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace lariat {

namespace detail {

class Connect final : public Operation<Connect>, private Ready {
public:
    explicit Connect(const Address& address);
    Connect(std::string host, std::uint16_t port);
    ~Connect();

    TcpStream await_resume();

private:
    friend Operation<Connect>;

    bool begin() noexcept;
    void try_next() noexcept;
    void resolved(ResolveResult result) noexcept;
    void attempted(int result) noexcept;
    static void on_ready(Ready& ready) noexcept;
    bool withdraw() noexcept override;
    const char* verb() const noexcept override { return "connect"; }

    Reactor* reactor_ = nullptr;
    std::string host_;  // empty when the address was given
    std::vector<Address> addresses_;
    std::size_t next_ = 0;
    ResolveRequest request_;
    ConnectAttempt attempt_;
    Failure failure_;  // why the last address failed
    int fd_ = -1;
    std::uint16_t port_ = 0;
};

}  // namespace detail

/// Connects to `address`.
///
/// Cancellation: a connection that was made first wins. Errors: ConnectError and its classes, ConnectionRefused among
/// them; TimedOut only with within().
[[nodiscard]] inline detail::Connect connect(const Address& address) { return detail::Connect(address); }

/// Connects to `host`, a name or an IP literal. The addresses of a name are tried in the resolver's order, the error is
/// that of the last one.
///
/// Errors: also ResolveFailed.
[[nodiscard]] inline detail::Connect connect(std::string host, std::uint16_t port) {
    return detail::Connect(std::move(host), port);
}

}  // namespace lariat
