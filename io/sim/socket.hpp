// SPDX-License-Identifier: MIT
// Socket: one descriptor of a simulated host: what is bound, listened or connected, its options, and the operations
// that wait on it.
#pragma once

#include <lariat/io/address.hpp>
#include <lariat/io/op.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace lariat::sim {

class Datagrams;
class End;
class Node;
class SimBackend;

class Socket {
public:
    /// `type` is SOCK_STREAM or SOCK_DGRAM.
    Socket(Node& node, SimBackend& owner, int domain, int type);
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    /// Closes it: resets what waits to be accepted, ends or resets its connection.
    ~Socket();

    [[nodiscard]] Node& node() noexcept { return node_; }
    [[nodiscard]] int domain() const noexcept { return domain_; }
    [[nodiscard]] int type() const noexcept { return datagrams_ ? SOCK_DGRAM : SOCK_STREAM; }
    /// Null for a stream.
    [[nodiscard]] Datagrams* datagrams() const noexcept { return datagrams_.get(); }

    // The system calls: 0 or more, or a negative errno. Those of datagrams() are there.
    int bind(const Address& address);
    int listen(int backlog);
    int connect(const Address& to);
    /// 0 once connected, -EINPROGRESS before, else why not.
    int connect_result() noexcept;
    std::ptrdiff_t send(std::span<const iovec> parts);
    /// At most `size` bytes; 0 at the end of the stream.
    std::ptrdiff_t receive(void* into, std::size_t size);
    /// Bytes that can be received now.
    [[nodiscard]] std::size_t readable() const noexcept;
    /// Bytes, a datagram, an end, an error or a waiting connection: receiving and accepting would not say -EAGAIN.
    [[nodiscard]] bool has_something_to_read() const noexcept;
    int shutdown(int how) noexcept;
    int set_option(int level, int name, const void* value, socklen_t size);
    int get_option(int level, int name, void* value, socklen_t size) noexcept;
    int peer_address(Address& address) const noexcept;
    [[nodiscard]] const Address& local_address() const noexcept { return local_; }
    /// The poll(2) events that are true.
    [[nodiscard]] std::uint32_t poll_events() const noexcept;

    [[nodiscard]] bool is_bound() const noexcept { return bound_; }
    /// Of a socket that is bound to any address: only to that of `address` from now on.
    void narrow_to(Address address) noexcept {
        address.set_port(local_.port());
        local_ = address;
    }
    [[nodiscard]] bool is_listening() const noexcept { return backlog_ > 0; }
    [[nodiscard]] bool has_waiting() const noexcept { return !waiting_.empty(); }
    /// The connection that came first; null when none waits.
    End* take_waiting() noexcept;
    /// Makes this the socket of `end`, which `listener` has accepted; options are inherited, as on Linux.
    void attach(End& end, const Socket& listener);
    /// An option that is an int; `otherwise` when it was never set.
    [[nodiscard]] int number(int level, int name, int otherwise) const noexcept;
    /// SO_SNDBUF and SO_RCVBUF, in bytes.
    [[nodiscard]] int send_buffer() const noexcept;
    [[nodiscard]] int receive_buffer() const noexcept;
    /// IP_MTU_DISCOVER and IP_MULTICAST_LOOP, or what IPv6 calls so.
    [[nodiscard]] int path_mtu_discovery() const noexcept;
    [[nodiscard]] bool hears_own_multicast() const noexcept;

    // For the connection.
    [[nodiscard]] bool has_room_for_handshake() const noexcept;
    void handshake_begun(End& end);
    void handshake_given_up(End& end) noexcept;
    void handshake_done(End& end);
    /// Something an operation may wait for has happened.
    void changed() noexcept;

    int fd = -1;
    SimBackend* backend;       // whose operations wait here
    io::Op* reader = nullptr;  // receive, receive_from or accept
    io::Op* writer = nullptr;  // connect or send
    io::Op* polls = nullptr;   // linked through the operations
    bool queued = false;       // its backend has it in the list of those to look at
    std::size_t sent = 0;      // by the send that is in flight

private:
    struct Option {
        std::array<std::byte, 16> value;
        socklen_t size;
    };

    static int number_of(const Option& option) noexcept;
    int change_membership(int level, int name, const void* value, socklen_t size);

    Node& node_;
    int domain_;
    Address local_;
    bool bound_ = false;
    int backlog_ = 0;  // of a listening socket
    std::vector<End*> handshakes_;
    std::deque<End*> waiting_;
    End* end_ = nullptr;
    std::unique_ptr<Datagrams> datagrams_;
    std::map<std::pair<int, int>, Option> options_;
};

}  // namespace lariat::sim
