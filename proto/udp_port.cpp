// SPDX-License-Identifier: MIT
#include <lariat/proto/udp_port.hpp>

#include <lariat/io/base/log.hpp>
#include <lariat/io/base/unique_fd.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/runtime/multicast.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/runtime/report.hpp>

#include <cerrno>
#include <climits>
#include <sys/socket.h>

namespace lariat {
namespace {

constexpr std::string_view no_literal = "not an IPv4 or IPv6 address";

std::string_view name_of(Address::Family family) noexcept {
    switch (family) {
    case Address::Family::ipv4: return "IPv4";
    case Address::Family::ipv6: return "IPv6";
    default: return "UNIX";
    }
}

void check(std::ptrdiff_t result, std::string_view what) {
    const int error = static_cast<int>(-result);
    if (result < 0) throw Error(describe_errno(what, error), error);
}

}  // namespace

std::shared_ptr<UdpPort> UdpPort::create(Reactor& reactor, std::uint16_t port,
                                         std::shared_ptr<DatagramProtocol> protocol, const UdpOptions& options,
                                         std::optional<int> descriptor) {
    auto made = std::make_shared<UdpPort>(Private(), reactor, port, std::move(protocol), options, descriptor);
    made->start_listening();
    return made;
}

UdpPort::UdpPort(Private, Reactor& reactor, std::uint16_t port, std::shared_ptr<DatagramProtocol> protocol,
                 const UdpOptions& options, std::optional<int> descriptor)
    : reactor_(&reactor), protocol_(std::move(protocol)), options_(options), descriptor_(descriptor), port_(port) {}

UdpPort::~UdpPort() = default;

void UdpPort::start_listening() {
    if (state_ != State::stopped) throw UsageError("can't start listening in this state");
    reactor_->add_shutdown_listener(*this);  // before the socket's own, so that it is this that closes it
    try {
        open();
    } catch (...) {
        unlink();
        throw;
    }
    host_ = socket_->local_address();
    peer_ = socket_->peer_address();  // one that was adopted may have it
    log(LogLevel::info, "UdpPort", protocol_->log_prefix() + " starting on " + std::to_string(host_.port()));
    state_ = State::listening;
    self_ = shared_from_this();
    try {
        protocol_->make_connection(*this);
    } catch (...) {
        if (state_ == State::listening) close();
        throw;
    }
    protocol_started_ = true;
    if (state_ == State::listening) socket_->start();  // it may have been stopped in start_protocol()
}

void UdpPort::open() {
    const std::string& interface = options_.interface();
    const auto address = interface.empty() ? Address::any_ipv4(port_) : Address::from_host(interface, port_);
    if (!address) throw InvalidAddressError(interface, no_literal);
    auto socket = std::make_unique<DatagramSocket>(
        *reactor_, [this](const Datagram& datagram) { received(datagram); }, [this](int error) { failed(error); });
    const int result = descriptor_
                           ? adopt(*socket, *std::exchange(descriptor_, std::nullopt))  // only the first time
                           : socket->open(*address, DatagramOptions().listen_multiple(options_.listen_multiple()));
    if (result < 0) throw CannotListenError(interface, port_, -result);
    socket_ = std::move(socket);
}

// The port gets a duplicate, so that the caller keeps his.
int UdpPort::adopt(DatagramSocket& socket, int descriptor) {
    io::Backend& backend = reactor_->backend();
    int type = 0;
    Address local;
    if (const int result = backend.get_option(descriptor, SOL_SOCKET, SO_TYPE, &type, sizeof type); result < 0) {
        return result;
    }
    if (type != SOCK_DGRAM) return -EPROTOTYPE;
    if (const int result = backend.local_address(descriptor, local); result < 0) return result;
    if (!local.is_ip()) return -EAFNOSUPPORT;
    UniqueFd own = UniqueFd::duplicate_of(descriptor);
    if (!own) return -errno;
    const int result = socket.adopt(own.get());
    if (result == 0) static_cast<void>(own.release());
    return result;
}

void UdpPort::received(const Datagram& datagram) noexcept {
    const Bytes bytes = datagram.data.bytes().first(options_.max_packet_size());
    try {
        if (datagram.truncated || bytes.size() < datagram.data.size()) {
            protocol_->truncated_datagram_received(bytes, datagram.from);
        } else {
            protocol_->datagram_received(bytes, datagram.from);
        }
    } catch (...) {
        log_failure(protocol_->log_prefix(), "Unhandled error in datagram_received", Failure::current());
    }
}

void UdpPort::failed(int error) noexcept {
    if (error == ECONNREFUSED) return refused();
    log(LogLevel::warn, protocol_->log_prefix(),
        "UDP Port " + std::to_string(host_.port()) + " goes on after an error (" + errno_text(error) + ")");
}

void UdpPort::refused() noexcept {
    if (!is_connected()) return;
    try {
        protocol_->connection_refused();
    } catch (...) {
        log_failure(protocol_->log_prefix(), "Unhandled error in connection_refused", Failure::current());
    }
}

void UdpPort::write(Bytes datagram, const Address& to) { send(std::span(&datagram, 1), to); }

void UdpPort::write_sequence(std::span<const Bytes> parts, const Address& to) {
    if (parts.size() > IOV_MAX) return DatagramTransport::write_sequence(parts, to);  // no system call takes more
    send(parts, to);
}

void UdpPort::send(std::span<const Bytes> parts, const Address& to) {
    if (state_ != State::listening) return;
    if (to.family() != Address::Family::none) {
        check_family(to, "write()");
        if (is_connected() && to != peer_) {
            throw UsageError("a port that is connected to " + peer_.str() + " cannot write to " + to.str());
        }
    } else if (!is_connected()) {
        throw UsageError("write() needs an address, or connect() before it");
    }
    const std::ptrdiff_t result = socket_->send(parts, to);
    if (result == -EMSGSIZE) throw MessageLengthError("", EMSGSIZE);
    check(result, "write");
}

void UdpPort::check_family(const Address& to, std::string_view call) const {
    if (to.family() == host_.family()) return;
    throw InvalidAddressError(to.host(), std::string(name_of(host_.family()))
                                             .append(" port ")
                                             .append(call)
                                             .append(" called with ")
                                             .append(name_of(to.family()))
                                             .append(" address"));
}

void UdpPort::connect(std::string_view host, std::uint16_t port) {
    if (is_connected()) throw UsageError("already connected, reconnecting is not currently supported");
    const std::optional<Address> to = Address::from_host(host, port);
    if (!to) throw InvalidAddressError(host, no_literal);
    check_family(*to, "connect()");
    check(socket().connect(*to), "connect " + to->str());
    peer_ = socket_->peer_address();   // what was meant by any address, for one
    host_ = socket_->local_address();  // now of one interface
}

DatagramSocket& UdpPort::socket() const {
    if (state_ != State::listening) throw UsageError("this UDP port is not listening");
    return *socket_;
}

bool UdpPort::broadcast_allowed() const {
    int on = 0;
    check(socket().get_option(SOL_SOCKET, SO_BROADCAST, &on, sizeof on), "broadcast_allowed");
    return on != 0;
}

void UdpPort::set_broadcast_allowed(bool allowed) {
    const int on = allowed ? 1 : 0;
    check(socket().set_option(SOL_SOCKET, SO_BROADCAST, &on, sizeof on), "set_broadcast_allowed");
}

int UdpPort::ttl() const {
    int hops = 0;
    check(multicast_ttl(socket(), hops), "ttl");
    return hops;
}

void UdpPort::set_ttl(int hops) { check(set_multicast_ttl(socket(), hops), "set_ttl"); }

bool UdpPort::loopback_mode() const {
    bool on = false;
    check(multicast_loop(socket(), on), "loopback_mode");
    return on;
}

void UdpPort::set_loopback_mode(bool on) { check(set_multicast_loop(socket(), on), "set_loopback_mode"); }

std::string UdpPort::outgoing_interface() const {
    std::string interface;
    check(multicast_interface(socket(), interface), "outgoing_interface");
    return interface;
}

Deferred<> UdpPort::set_outgoing_interface(std::string_view interface) {
    return maybe_deferred([&] {
        const std::string name(interface);
        check(set_multicast_interface(socket(), name), "set_outgoing_interface " + name);
    });
}

Deferred<> UdpPort::change_membership(std::string_view group, std::string_view interface, bool join) {
    return maybe_deferred([&] {
        const std::optional<Address> address = Address::from_host(group, 0);
        if (!address) throw InvalidAddressError(group, no_literal);
        const int result = lariat::join_group(socket(), *address, std::string(interface), join);
        if (result < 0) throw MulticastJoinError(group, interface, -result);
    });
}

Deferred<> UdpPort::stop_listening() {
    if (state_ == State::stopped) return succeed();
    Deferred<> stopped = waiting_.add();
    if (state_ == State::listening) close();
    return stopped;
}

void UdpPort::reactor_stopping() noexcept {
    if (state_ == State::listening) close();
}

void UdpPort::close() noexcept {
    state_ = State::closing;
    socket_->close([this] { closed(); });
}

void UdpPort::closed() noexcept {
    const std::shared_ptr<UdpPort> self = std::move(self_);
    socket_.reset();
    unlink();
    log(LogLevel::info, "UdpPort", "(UDP Port " + std::to_string(host_.port()) + " Closed)");
    state_ = State::stopped;
    const auto stop = [this] {
        if (std::exchange(protocol_started_, false)) protocol_->do_stop();
    };
    waiting_.fire_after(stop, protocol_->log_prefix(), "Unhandled error in stop_protocol");
}

std::string UdpPort::str() const {
    const std::string name = protocol_->log_prefix();
    if (state_ == State::stopped) return "<" + name + " (not listening)>";
    return "<" + name + " on " + std::to_string(host_.port()) + ">";
}

}  // namespace lariat
