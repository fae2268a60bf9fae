// SPDX-License-Identifier: MIT
#include <lariat/io/sim/socket.hpp>

#include <lariat/io/sim/address_kinds.hpp>
#include <lariat/io/sim/datagrams.hpp>
#include <lariat/io/sim/host.hpp>
#include <lariat/io/sim/node.hpp>
#include <lariat/io/sim/sim_backend.hpp>
#include <lariat/io/sim/stream.hpp>
#include <lariat/io/sim/world.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

namespace lariat::sim {
namespace {

constexpr int largest_backlog = 4096;  // net.core.somaxconn

Address unbound(int domain) {
    if (domain == AF_UNIX) return {};
    return domain == AF_INET6 ? Address("[::]:0") : Address::any_ipv4(0);
}

}  // namespace

Socket::Socket(Node& node, SimBackend& owner, int domain, int type)
    : backend(&owner), node_(node), domain_(domain), local_(unbound(domain)) {
    if (type == SOCK_DGRAM) datagrams_ = std::make_unique<Datagrams>(*this);
}

Socket::~Socket() {
    for (End* end : handshakes_) end->listener_closed();
    while (!waiting_.empty()) take_waiting()->close(true);
    if (bound_) node_.unbind(*this);
    if (datagrams_) datagrams_->tell_senders();
    if (!end_) return;
    linger how{};
    socklen_t size = sizeof how;
    const bool lingers = get_option(SOL_SOCKET, SO_LINGER, &how, size) == 0 && how.l_onoff != 0 && how.l_linger == 0;
    end_->close(lingers);
}

int Socket::bind(const Address& address) {
    if (bound_ || end_) return -EINVAL;
    if (address.domain() != domain_) return -EAFNOSUPPORT;
    Address wanted = address;
    const int result = node_.bind(*this, wanted);
    if (result == 0) {
        local_ = wanted;
        bound_ = true;
    }
    return result;
}

int Socket::listen(int backlog) {
    if (datagrams_) return -EOPNOTSUPP;
    if (end_) return -EINVAL;
    if (!bound_) {
        if (domain_ == AF_UNIX) return -EINVAL;
        const int result = bind(unbound(domain_));
        if (result < 0) return result;
    }
    backlog_ = std::clamp(backlog, 1, largest_backlog);
    return 0;
}

int Socket::connect(const Address& wanted) {
    if (datagrams_) return datagrams_->connect(wanted);
    if (backlog_ > 0) return -EINVAL;
    if (end_) return end_->connecting() ? -EALREADY : -EISCONN;
    if (wanted.family() == Address::Family::none) return -EINVAL;
    if (wanted.domain() != domain_) return -EAFNOSUPPORT;
    const Address to = wanted.is_ip() ? destination_of(wanted) : wanted;
    Host& host = node_.host();
    World& world = host.world();
    Host* there = &host;
    if (to.is_ip()) {
        there = world.route(host, to);
        if (!bound_) {
            const int result = bind(host.source_for(to));
            if (result < 0) return result;
        }
    } else if (!node_.has_path(to)) {
        return Node::missing_path_error(to);
    } else if (const Socket* listener = node_.listener(to); listener && !listener->has_room_for_handshake()) {
        return -EAGAIN;
    }
    end_ = &Stream::connect(world, *this, to, there);
    return -EINPROGRESS;
}

int Socket::connect_result() noexcept {
    if (!end_) return -ENOTCONN;
    if (end_->connected()) return 0;
    if (end_->connecting()) return -EINPROGRESS;
    const int error = end_->take_error();
    return error != 0 ? -error : -ECONNREFUSED;
}

std::ptrdiff_t Socket::send(std::span<const iovec> parts) {
    if (datagrams_) return datagrams_->send(parts, {});
    return end_ ? end_->send(parts) : -EPIPE;
}

std::ptrdiff_t Socket::receive(void* into, std::size_t size) {
    return end_ && !end_->connecting() ? end_->receive(into, size) : -ENOTCONN;
}

std::size_t Socket::readable() const noexcept { return end_ ? end_->readable() : 0; }

bool Socket::has_something_to_read() const noexcept {
    if (end_) return end_->has_something_to_read();
    if (datagrams_) return datagrams_->has_something_to_read();
    return backlog_ == 0 || !waiting_.empty();
}

int Socket::shutdown(int how) noexcept { return end_ ? end_->shutdown(how) : -ENOTCONN; }

int Socket::peer_address(Address& address) const noexcept {
    if (datagrams_) {
        address = datagrams_->peer();
        return address.family() == Address::Family::none ? -ENOTCONN : 0;
    }
    if (!end_ || !end_->connected()) return -ENOTCONN;
    address = end_->peer().address;
    return 0;
}

std::uint32_t Socket::poll_events() const noexcept {
    if (end_) return end_->poll_events();
    if (datagrams_) return datagrams_->poll_events();
    if (backlog_ > 0) return waiting_.empty() ? 0 : POLLIN | POLLRDNORM;
    return POLLOUT | POLLWRNORM | POLLHUP;  // what an unconnected TCP socket says
}

// Options

int Socket::set_option(int level, int name, const void* value, socklen_t size) {
    if (name < 0) return -ENOPROTOOPT;
    const bool of_group = level == IPPROTO_IP     ? name == IP_ADD_MEMBERSHIP || name == IP_DROP_MEMBERSHIP
                          : level == IPPROTO_IPV6 ? name == IPV6_ADD_MEMBERSHIP || name == IPV6_DROP_MEMBERSHIP
                                                  : false;
    if (of_group) return change_membership(level, name, value, size);
    Option option{};
    if (size > option.value.size()) return -EINVAL;
    std::memcpy(option.value.data(), value, size);
    option.size = size;
    if (level == SOL_SOCKET && (name == SO_SNDBUF || name == SO_RCVBUF)) {
        if (size < sizeof(int)) return -EINVAL;
        // The kernel doubles what it is given and keeps a minimum; socket(7).
        const int doubled = std::max(2 * number_of(option), name == SO_SNDBUF ? 4608 : 2304);
        std::memcpy(option.value.data(), &doubled, sizeof doubled);
        option.size = sizeof doubled;
    }
    options_[{level, name}] = option;
    if (level == SOL_SOCKET && name == SO_KEEPALIVE && end_) end_->keep_alive_changed();
    return 0;
}

int Socket::get_option(int level, int name, void* value, socklen_t size) noexcept {
    const auto answer = [&](int number) {
        if (size < sizeof number) return -EINVAL;
        std::memcpy(value, &number, sizeof number);
        return 0;
    };
    if (level == SOL_SOCKET) {
        switch (name) {
        case SO_ERROR: return answer(end_ ? end_->take_error() : datagrams_ ? datagrams_->take_error() : 0);
        case SO_TYPE: return answer(type());
        case SO_DOMAIN: return answer(domain_);
        case SO_ACCEPTCONN: return answer(backlog_ > 0 ? 1 : 0);
        case SO_SNDBUF: return answer(send_buffer());
        case SO_RCVBUF: return answer(receive_buffer());
        default: break;
        }
    }
    if (const auto found = options_.find({level, name}); found != options_.end()) {
        std::memcpy(value, found->second.value.data(), std::min(size, found->second.size));
        return 0;
    }
    // Off, or none, but for two of multicast: one hop, and members on the host hear it; ip(7), ipv6(7).
    const bool on = level == IPPROTO_IP     ? name == IP_MULTICAST_LOOP || name == IP_MULTICAST_TTL
                    : level == IPPROTO_IPV6 ? name == IPV6_MULTICAST_LOOP || name == IPV6_MULTICAST_HOPS
                                            : false;
    const int unless_set = on ? 1 : 0;
    std::memset(value, 0, size);
    std::memcpy(value, &unless_set, std::min<std::size_t>(size, sizeof unless_set));
    return 0;
}

int Socket::number_of(const Option& option) noexcept {
    int number = 0;
    std::memcpy(&number, option.value.data(), sizeof number);
    return number;
}

int Socket::number(int level, int name, int otherwise) const noexcept {
    const auto found = options_.find({level, name});
    return found == options_.end() ? otherwise : number_of(found->second);
}

int Socket::send_buffer() const noexcept { return number(SOL_SOCKET, SO_SNDBUF, node_.host().socket_buffers()); }
int Socket::receive_buffer() const noexcept { return number(SOL_SOCKET, SO_RCVBUF, node_.host().socket_buffers()); }

int Socket::path_mtu_discovery() const noexcept {
    return domain_ == AF_INET6 ? number(IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_WANT)
                               : number(IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_WANT);
}

bool Socket::hears_own_multicast() const noexcept {
    return domain_ == AF_INET6 ? number(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1) != 0
                               : number(IPPROTO_IP, IP_MULTICAST_LOOP, 1) != 0;
}

// A simulated host has one interface, so which one is asked for does not matter.
int Socket::change_membership(int level, int name, const void* value, socklen_t size) {
    if (!datagrams_) return -EPROTO;
    if (level == IPPROTO_IP) {
        ip_mreq request;
        if (size < sizeof request) return -EINVAL;
        std::memcpy(&request, value, sizeof request);
        sockaddr_in group{};
        group.sin_family = AF_INET;
        group.sin_addr = request.imr_multiaddr;
        return datagrams_->join(Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&group), sizeof group),
                                name == IP_ADD_MEMBERSHIP);
    }
    ipv6_mreq request;
    if (size < sizeof request) return -EINVAL;
    std::memcpy(&request, value, sizeof request);
    sockaddr_in6 group{};
    group.sin6_family = AF_INET6;
    group.sin6_addr = request.ipv6mr_multiaddr;
    return datagrams_->join(Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&group), sizeof group),
                            name == IPV6_ADD_MEMBERSHIP);
}

// Listening

bool Socket::has_room_for_handshake() const noexcept {
    return waiting_.size() + handshakes_.size() <= static_cast<std::size_t>(backlog_);
}

void Socket::handshake_begun(End& end) { handshakes_.push_back(&end); }

void Socket::handshake_given_up(End& end) noexcept { std::erase(handshakes_, &end); }

void Socket::handshake_done(End& end) {
    std::erase(handshakes_, &end);
    waiting_.push_back(&end);
    changed();
}

End* Socket::take_waiting() noexcept {
    if (waiting_.empty()) return nullptr;
    End* end = waiting_.front();
    waiting_.pop_front();
    return end;
}

void Socket::attach(End& end, const Socket& listener) {
    options_ = listener.options_;
    end_ = &end;
    local_ = end.address;
    end.accepted(*this);
}

void Socket::changed() noexcept { backend->look_at(*this); }

}  // namespace lariat::sim
