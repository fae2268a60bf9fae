// SPDX-License-Identifier: MIT
// Node: what a simulated host's kernel knows during one life of the host: open sockets by number, bound addresses, the
// backends of its programs.
#pragma once

#include <lariat/io/address.hpp>
#include <lariat/io/base/intrusive_list.hpp>
#include <lariat/io/sim/disk.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace lariat::sim {

class End;
class Host;
class SimBackend;
class Socket;

struct NodeTag;

class Node {
public:
    explicit Node(Host& host) noexcept;
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;
    ~Node();

    [[nodiscard]] Host& host() noexcept { return host_; }
    /// False once the host has crashed: what is left of its programs runs in a void.
    [[nodiscard]] bool alive() const noexcept { return alive_; }
    void die() noexcept;

    /// Numbers are given out lowest first, above all of the real kernel's, so that a mix-up is noticed.
    int add(std::unique_ptr<Socket> socket);
    /// Null when `fd` is not open here.
    [[nodiscard]] Socket* socket(int fd) noexcept;
    std::unique_ptr<Socket> remove(int fd) noexcept;
    /// What `backend` has left open.
    void close_all(const SimBackend& backend) noexcept;
    [[nodiscard]] bool full() const noexcept;

    /// What `op` asks of the host's disk; the result is what FileRequest::Action says.
    std::int32_t perform(io::FileOp& op);
    /// Null when `fd` is not an open file here.
    [[nodiscard]] OpenFile* file(int fd) noexcept;
    bool close_file(int fd) noexcept { return files_.erase(fd) > 0; }

    /// 0, or the negative errno of bind(2). Port 0 becomes a drawn free one.
    int bind(Socket& socket, Address& address);
    void unbind(Socket& socket) noexcept;
    /// True when `address`, a UNIX one, is bound.
    [[nodiscard]] bool has_path(const Address& address) const { return paths_.contains(address.host()); }
    /// What connecting or sending to such an address that is not bound ends with, a negative errno; unix(7).
    [[nodiscard]] static int missing_path_error(const Address& address);
    /// The listening socket for `address`; null when there is none.
    [[nodiscard]] Socket* listener(const Address& address) noexcept;
    /// The sockets that a UDP datagram from `source` to `destination` is for: one, or all that hear what is sent to
    /// many; none when nobody has the port.
    [[nodiscard]] std::vector<Socket*> receivers(const Address& destination, const Address& source);
    /// The UDP socket of `local` that is connected to `peer`; null when there is none.
    [[nodiscard]] Socket* connected_receiver(const Address& local, const Address& peer) noexcept;
    /// The UNIX socket of datagrams at `address`; null when there is none.
    [[nodiscard]] Socket* local_receiver(const Address& address) noexcept;

    /// Of all programs, in the order they were made.
    [[nodiscard]] std::vector<SimBackend*>& all_backends() noexcept { return backends_; }
    IntrusiveList<End, NodeTag> ends;

private:
    static constexpr int first_descriptor = 1 << 20;  // of sockets
    static constexpr int first_file = 1 << 21;

    [[nodiscard]] bool taken(const Socket& socket, const Address& address) const noexcept;

    Host& host_;
    bool alive_ = true;
    std::vector<std::unique_ptr<Socket>> sockets_;
    std::set<int> free_;
    std::size_t open_ = 0;
    std::map<int, OpenFile> files_;
    int next_file_ = first_file;
    std::multimap<std::uint16_t, Socket*> ports_;
    std::map<std::string, Socket*> paths_;
    std::vector<SimBackend*> backends_;
};

}  // namespace lariat::sim
