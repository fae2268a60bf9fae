// SPDX-License-Identifier: MIT
#include <lariat/io/sim/node.hpp>

#include <lariat/io/base/assert.hpp>
#include <lariat/io/sim/address_kinds.hpp>
#include <lariat/io/sim/datagrams.hpp>
#include <lariat/io/sim/host.hpp>
#include <lariat/io/sim/socket.hpp>
#include <lariat/io/sim/stream.hpp>

#include <cerrno>
#include <utility>

namespace lariat::sim {
namespace {

// net.ipv4.ip_local_port_range
constexpr std::uint16_t first_port = 32768;
constexpr std::uint16_t last_port = 60999;

bool overlap(const Address& a, const Address& b) {
    if (a.port() != b.port() || a.domain() != b.domain()) return false;
    return is_any(a) || is_any(b) || a == b;
}

}  // namespace

Node::Node(Host& host) noexcept : host_(host) {}

Node::~Node() = default;

void Node::die() noexcept {
    // Before the power is off, so that what has left already may arrive.
    IntrusiveList<End, NodeTag> left;
    left.append(ends);
    while (End* end = left.pop_front()) {
        ends.push_back(*end);
        end->vanish();
    }
    alive_ = false;
}

int Node::add(std::unique_ptr<Socket> socket) {
    int index;
    if (free_.empty()) {
        index = static_cast<int>(sockets_.size());
        sockets_.emplace_back();
    } else {
        index = *free_.begin();
        free_.erase(free_.begin());
    }
    socket->fd = first_descriptor + index;
    sockets_[static_cast<std::size_t>(index)] = std::move(socket);
    ++open_;
    return first_descriptor + index;
}

Socket* Node::socket(int fd) noexcept {
    const int index = fd - first_descriptor;
    if (index < 0 || static_cast<std::size_t>(index) >= sockets_.size()) return nullptr;
    return sockets_[static_cast<std::size_t>(index)].get();
}

std::unique_ptr<Socket> Node::remove(int fd) noexcept {
    const int index = fd - first_descriptor;
    LARIAT_CHECK(socket(fd) != nullptr, "close() of a descriptor that is not open on this host");
    free_.insert(index);
    --open_;
    return std::move(sockets_[static_cast<std::size_t>(index)]);
}

void Node::close_all(const SimBackend& backend) noexcept {
    for (const auto& socket : sockets_) {
        if (socket && socket->backend == &backend) remove(socket->fd);
    }
}

bool Node::full() const noexcept { return open_ + files_.size() >= host_.descriptor_limit(); }

std::int32_t Node::perform(io::FileOp& op) {
    if (!alive_) return -EIO;
    if (op.action == io::FileOp::Action::open) {
        if (full()) return -EMFILE;
        std::int32_t error = 0;
        std::shared_ptr<DiskFile> file = host_.disk().open(op.path, op.flags, error);
        if (!file) return error;
        files_.emplace(next_file_, OpenFile(std::move(file), op.flags));
        return next_file_++;
    }
    OpenFile* file = this->file(op.fd);
    if (!file) return -EBADF;
    if (op.action != io::FileOp::Action::close) return file->perform(op, host_.disk().room());
    close_file(op.fd);
    return 0;
}

OpenFile* Node::file(int fd) noexcept {
    const auto found = files_.find(fd);
    return found == files_.end() ? nullptr : &found->second;
}

bool Node::taken(const Socket& socket, const Address& address) const noexcept {
    const auto [first, last] = ports_.equal_range(address.port());
    for (auto other = first; other != last; ++other) {
        if (other->second->type() != socket.type()) continue;
        if (!overlap(other->second->local_address(), address)) continue;
        const auto shares = [](const Socket& s, int option) { return s.number(SOL_SOCKET, option, 0) != 0; };
        if (shares(socket, SO_REUSEPORT) && shares(*other->second, SO_REUSEPORT)) continue;
        const bool reuses = shares(socket, SO_REUSEADDR) && shares(*other->second, SO_REUSEADDR);
        if (!reuses || other->second->is_listening()) return true;
    }
    return false;
}

int Node::bind(Socket& socket, Address& address) {
    if (!address.is_ip()) {
        // An empty path asks for a name from the abstract namespace; unix(7), "Autobind feature".
        while (address.host().empty() || address.host() == "@") {
            constexpr char digits[] = "0123456789abcdef";
            std::string name = "@";
            for (int i = 0; i < 5; ++i) name += digits[host_.random().below(16)];
            if (const auto drawn = Address::from_path(name); !has_path(*drawn)) address = *drawn;
        }
        return paths_.emplace(address.host(), &socket).second ? 0 : -EADDRINUSE;
    }
    const bool hears_many = socket.type() == SOCK_DGRAM && (is_multicast(address) || is_broadcast(address));
    if (!is_any(address) && !host_.has_address(address) && !hears_many) return -EADDRNOTAVAIL;
    if (address.port() == 0) {
        constexpr int patience = 2 * (last_port - first_port);
        for (int i = 0; address.port() == 0 || taken(socket, address); ++i) {
            if (i == patience) return -EADDRINUSE;
            address.set_port(static_cast<std::uint16_t>(host_.random().between(first_port, last_port)));
        }
    } else if (taken(socket, address)) {
        return -EADDRINUSE;
    }
    ports_.emplace(address.port(), &socket);
    return 0;
}

void Node::unbind(Socket& socket) noexcept {
    const Address& address = socket.local_address();
    if (!address.is_ip()) {
        paths_.erase(address.host());
        return;
    }
    const auto [first, last] = ports_.equal_range(address.port());
    for (auto entry = first; entry != last; ++entry) {
        if (entry->second == &socket) {
            ports_.erase(entry);
            return;
        }
    }
}

int Node::missing_path_error(const Address& address) {
    return address.host().starts_with('@') ? -ECONNREFUSED : -ENOENT;  // abstract names leave no file
}

Socket* Node::listener(const Address& address) noexcept {
    if (!address.is_ip()) {
        const auto found = paths_.find(address.host());
        return found != paths_.end() && found->second->is_listening() ? found->second : nullptr;
    }
    Socket* wildcard = nullptr;
    const auto [first, last] = ports_.equal_range(address.port());
    for (auto entry = first; entry != last; ++entry) {
        Socket& socket = *entry->second;
        if (!socket.is_listening() || socket.domain() != address.domain()) continue;
        if (socket.local_address() == address) return &socket;
        if (is_any(socket.local_address())) wildcard = &socket;
    }
    return wildcard;
}

std::vector<Socket*> Node::receivers(const Address& destination, const Address& source) {
    const bool to_group = is_multicast(destination);
    bool member = is_broadcast(destination);
    for (const auto& socket : sockets_) {  // whoever is a member makes the host one; ip(7), IP_MULTICAST_ALL
        if (to_group && socket && socket->datagrams() && socket->datagrams()->is_member(destination)) member = true;
    }
    if (to_group && !member) return {};
    std::vector<Socket*> all;
    int best = 0;
    const auto [first, last] = ports_.equal_range(destination.port());
    for (auto entry = first; entry != last; ++entry) {
        Socket& socket = *entry->second;
        if (!socket.datagrams() || socket.domain() != destination.domain()) continue;
        const bool exact = socket.local_address() == destination;
        if (!exact && !is_any(socket.local_address())) continue;
        const Address& peer = socket.datagrams()->peer();
        const bool is_connected = peer.family() != Address::Family::none;
        if (is_connected && peer != source) continue;
        if (member) {
            all.push_back(&socket);
        } else if (const int score = 1 + (exact ? 1 : 0) + (is_connected ? 2 : 0); score > best) {
            best = score;
            all.assign(1, &socket);
        }
    }
    return all;
}

Socket* Node::connected_receiver(const Address& local, const Address& peer) noexcept {
    const auto [first, last] = ports_.equal_range(local.port());
    for (auto entry = first; entry != last; ++entry) {
        Socket& socket = *entry->second;
        if (socket.local_address() == local && socket.datagrams() && socket.datagrams()->peer() == peer) return &socket;
    }
    return nullptr;
}

Socket* Node::local_receiver(const Address& address) noexcept {
    const auto found = paths_.find(address.host());
    return found != paths_.end() && found->second->datagrams() ? found->second : nullptr;
}

}  // namespace lariat::sim
