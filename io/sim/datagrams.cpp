// SPDX-License-Identifier: MIT
#include <lariat/io/sim/datagrams.hpp>

#include <lariat/io/sim/address_kinds.hpp>
#include <lariat/io/sim/host.hpp>
#include <lariat/io/sim/node.hpp>
#include <lariat/io/sim/socket.hpp>
#include <lariat/io/sim/world.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <string>

namespace lariat::sim {
namespace {

constexpr std::size_t ipv4_header = 20, ipv6_header = 40, udp_header = 8;
constexpr std::size_t most_in_packet = 65535;
constexpr std::size_t most_waiting_locally = 10;  // net.unix.max_dgram_qlen
constexpr std::size_t buffer_overhead = 256;      // what a datagram takes of SO_RCVBUF beside its bytes

std::size_t ip_header(const Address& address) noexcept {
    return address.family() == Address::Family::ipv6 ? ipv6_header : ipv4_header;
}

/// How many packets it takes; IP fragments what is larger than the link's MTU.
std::size_t fragments_of(std::size_t size, std::size_t header, std::size_t mtu) noexcept {
    const std::size_t room = (mtu - header) / 8 * 8;  // RFC 791, 3.2: offsets count eights
    if (size + udp_header + header <= mtu) return 1;
    return (size + udp_header + room - 1) / room;
}

}  // namespace

// Flight

Flight::Flight(World& world, Kind kind, Node& from, Host& to, const Address& source, const Address& destination,
               Bytes bytes)
    : Timer(&due),
      world_(world),
      kind_(kind),
      from_(from),
      to_(to),
      source_(source),
      destination_(destination),
      bytes_(Buffer::copy_of(bytes)) {}

void Flight::send(World& world, Kind kind, Node& from, Host& to, const Address& source, const Address& destination,
                  Bytes bytes) {
    Random& random = world.random();
    Path& path = world.path(from.host(), to);
    const LinkOptions& link = path.options;
    const std::size_t header = ip_header(destination);
    const std::size_t fragments = fragments_of(bytes.size(), header, link.mtu());
    const Duration on_the_way = path.transit(world.now(), bytes.size() + udp_header + fragments * header, random);
    bool lost = false;
    for (std::size_t i = 0; i < fragments; ++i) lost = random.chance(link.loss()) || lost;
    if (lost && world.tracing()) {
        world.trace(from.host().name() + " " + source.str() + " > " + destination.str() + " lost on its way");
    }
    const unsigned copies = lost ? 0 : random.chance(link.duplication()) ? 2 : 1;
    for (unsigned i = 0; i < copies; ++i) {
        Duration delay = on_the_way;
        if (random.chance(link.reordering())) {
            const auto most = static_cast<std::uint64_t>(4 * (link.latency() + link.jitter()).count());
            delay += Duration(random.below(most + 1));
        }
        auto* flight = new Flight(world, kind, from, to, source, destination, bytes);
        world.own(*flight);
        world.timers().arm(*flight, world.now() + delay);
    }
}

void Flight::due(Timer& timer) noexcept {
    auto* self = static_cast<Flight*>(&timer);
    self->unlink();
    self->arrive();
    delete self;
}

void Flight::arrive() {
    Node& node = to_.node();
    const bool is_local = &from_.host() == &to_;
    // What a host says to itself ends with the life of the host that said it.
    if (is_local ? &node != &from_ : world_.path(from_.host(), to_).cut) return;
    if (!to_.is_up()) return;
    if (world_.tracing()) {
        const std::string what = kind_ == Kind::refusal ? "refused" : "datagram " + std::to_string(bytes_.size());
        world_.trace(from_.host().name() + " " + source_.str() + " > " + destination_.str() + " " + what);
    }
    if (kind_ == Kind::refusal) {
        if (Socket* sender = node.connected_receiver(destination_, source_)) sender->datagrams()->refused();
        return;
    }
    const std::vector<Socket*> receivers = node.receivers(destination_, source_);
    for (Socket* socket : receivers) socket->datagrams()->deliver(source_, bytes_);
    // RFC 1122, 4.1.3.1, but never for what was sent to many, 3.2.2.
    if (receivers.empty() && !is_multicast(destination_) && !is_broadcast(destination_)) {
        send(world_, Kind::refusal, node, from_.host(), destination_, source_, {});
    }
}

// Datagrams

int Datagrams::connect(const Address& to) {
    if (to.domain() != socket_.domain()) return -EAFNOSUPPORT;
    Node& node = socket_.node();
    if (to.is_ip()) {
        const Address source = node.host().source_for(destination_of(to));
        if (!socket_.is_bound()) {
            if (const int result = socket_.bind(source); result < 0) return result;
        }
        if (is_any(socket_.local_address())) socket_.narrow_to(source);
    } else if (!node.has_path(to)) {
        return Node::missing_path_error(to);
    } else if (!node.local_receiver(to)) {
        return -EPROTOTYPE;
    }
    peer_ = to.is_ip() ? destination_of(to) : to;
    return 0;
}

std::ptrdiff_t Datagrams::send(std::span<const iovec> parts, const Address& to) {
    if (error_ != 0) return -take_error();
    const bool is_local = socket_.domain() == AF_UNIX;
    const bool is_named = to.family() != Address::Family::none;
    const Address& destination = is_named ? to : peer_;
    if (destination.family() == Address::Family::none) return is_local ? -ENOTCONN : -EDESTADDRREQ;
    if (destination.domain() != socket_.domain()) {
        return is_local ? -EINVAL : socket_.domain() == AF_INET6 ? -ENETUNREACH : -EAFNOSUPPORT;
    }
    std::size_t size = 0;
    for (const iovec& part : parts) size += part.iov_len;
    const std::size_t header = destination.family() == Address::Family::ipv6 ? 0 : ipv4_header;
    if (size > (is_local ? static_cast<std::size_t>(socket_.send_buffer()) : most_in_packet - udp_header - header)) {
        return -EMSGSIZE;
    }
    std::vector<std::byte> bytes;
    bytes.reserve(size);
    for (const iovec& part : parts) {
        const auto* data = static_cast<const std::byte*>(part.iov_base);
        bytes.insert(bytes.end(), data, data + part.iov_len);
    }
    const Bytes all(bytes.data(), bytes.size());
    return is_local ? send_locally(all, destination) : send_over_network(all, destination_of(destination));
}

std::ptrdiff_t Datagrams::send_locally(Bytes bytes, const Address& to) {
    Node& node = socket_.node();
    Socket* receiver = node.local_receiver(to);
    if (!receiver && node.has_path(to)) return -EPROTOTYPE;
    if (!receiver) return peer_ == to ? -ECONNREFUSED : Node::missing_path_error(to);
    Datagrams& there = *receiver->datagrams();
    if (there.peer_.family() != Address::Family::none && there.peer_ != socket_.local_address()) return -EPERM;
    if (there.is_full()) {
        wait_for_room(there);
        return -EAGAIN;
    }
    there.deliver(socket_.local_address(), bytes);
    return static_cast<std::ptrdiff_t>(bytes.size());
}

std::ptrdiff_t Datagrams::send_over_network(Bytes bytes, const Address& to) {
    Host& host = socket_.node().host();
    World& world = host.world();
    if (to.port() == 0) return -EINVAL;
    if (is_broadcast(to) && socket_.number(SOL_SOCKET, SO_BROADCAST, 0) == 0) return -EACCES;
    if (!socket_.is_bound()) {
        Address any = socket_.local_address();
        if (const int result = socket_.bind(any); result < 0) return result;
    }
    Address source = socket_.local_address();
    if (is_any(source)) {
        source = host.source_for(to);
        source.set_port(socket_.local_address().port());
    }
    const auto size = static_cast<std::ptrdiff_t>(bytes.size());
    if (is_multicast(to) || is_broadcast(to)) {
        const bool itself = is_broadcast(to) || socket_.hears_own_multicast();
        for (const auto& there : world.hosts()) {
            if (there.get() == &host && !itself) continue;
            if (!socket_.node().alive() && there.get() != &host) continue;
            Flight::send(world, Flight::Kind::datagram, socket_.node(), *there, source, to, bytes);
        }
        return size;
    }
    Host* there = world.route(host, to);
    if (!there) return size;                                     // no neighbour answers; nobody is told
    if (!socket_.node().alive() && there != &host) return size;  // into the void
    const Path& path = world.path(host, *there);
    const int discovery = socket_.path_mtu_discovery();
    if ((discovery == IP_PMTUDISC_DO || discovery == IP_PMTUDISC_PROBE)
        && bytes.size() + udp_header + ip_header(to) > path.options.mtu()) {
        return -EMSGSIZE;
    }
    if (!finds_room(path)) return -EAGAIN;
    Flight::send(world, Flight::Kind::datagram, socket_.node(), *there, source, to, bytes);
    return size;
}

// What has not left yet takes room in SO_SNDBUF.
bool Datagrams::finds_room(const Path& path) {
    World& world = socket_.node().host().world();
    const std::uint64_t bandwidth = path.options.bandwidth();
    if (bandwidth == 0 || path.busy_until <= world.now()) return true;
    const auto wait = static_cast<std::uint64_t>((path.busy_until - world.now()).count());
    const auto room = static_cast<std::uint64_t>(socket_.send_buffer()) * 1'000'000'000 / bandwidth;
    if (wait < room) return true;
    if (!room_.is_armed()) world.timers().arm(room_, path.busy_until - Duration(room / 2));
    return false;
}

void Datagrams::Room::fired(Timer& timer) noexcept { static_cast<Room&>(timer).datagrams.socket_.changed(); }

void Datagrams::deliver(const Address& from, Bytes bytes) {
    const bool is_local = socket_.domain() == AF_UNIX;
    if (!is_local && arrived_bytes_ >= static_cast<std::size_t>(socket_.receive_buffer())) return;  // no room: lost
    arrived_bytes_ += bytes.size() + buffer_overhead;
    arrived_.push_back({from, Buffer::copy_of(bytes)});
    socket_.changed();
}

int Datagrams::receive(Datagram& into) {
    if (error_ != 0) return -take_error();
    if (arrived_.empty()) return -EAGAIN;
    into = std::move(arrived_.front());
    arrived_.pop_front();
    arrived_bytes_ -= into.bytes.size() + buffer_overhead;
    tell_senders();
    return static_cast<int>(into.bytes.size());
}

bool Datagrams::is_full() const noexcept { return arrived_.size() > most_waiting_locally; }

void Datagrams::wait_for_room(Datagrams& there) {
    std::vector<int>& senders = there.waiting_senders_;
    if (std::find(senders.begin(), senders.end(), socket_.fd) == senders.end()) senders.push_back(socket_.fd);
}

void Datagrams::tell_senders() noexcept {
    for (const int fd : std::exchange(waiting_senders_, {})) {
        if (Socket* sender = socket_.node().socket(fd)) sender->changed();
    }
}

void Datagrams::refused() noexcept {
    error_ = ECONNREFUSED;
    socket_.changed();
}

int Datagrams::join(const Address& group, bool on) {
    if (!is_multicast(group)) return -EINVAL;
    const auto found = std::find(groups_.begin(), groups_.end(), group);
    if (on == (found != groups_.end())) return on ? -EADDRINUSE : -EADDRNOTAVAIL;
    if (on) {
        groups_.push_back(group);
    } else {
        groups_.erase(found);
    }
    return 0;
}

bool Datagrams::is_member(const Address& group) const noexcept {
    return std::any_of(groups_.begin(), groups_.end(), [&](Address own) {
        own.set_port(group.port());
        return own == group;
    });
}

std::uint32_t Datagrams::poll_events() {
    bool writable = !room_.is_armed();
    if (socket_.domain() == AF_UNIX && peer_.family() != Address::Family::none) {
        Socket* receiver = socket_.node().local_receiver(peer_);
        if (receiver && receiver->datagrams()->is_full()) {
            wait_for_room(*receiver->datagrams());
            writable = false;
        }
    }
    std::uint32_t events = writable ? POLLOUT | POLLWRNORM : 0;
    if (!arrived_.empty()) events |= POLLIN | POLLRDNORM;
    if (error_ != 0) events |= POLLERR;
    return events;
}

}  // namespace lariat::sim
