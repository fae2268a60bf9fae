// SPDX-License-Identifier: MIT
#include <lariat/coro/udp_socket.hpp>

#include <lariat/io/base/assert.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/io/op.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/runtime/multicast.hpp>
#include <lariat/runtime/reactor.hpp>

#include <cerrno>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace lariat {
namespace {

// Datagrams that may wait for receive_from(); the rest wait in the kernel's queue, which has a limit.
constexpr std::size_t most_arrived = 64;

// Throws what a negative errno means as the result of `what`.
void require_success(std::ptrdiff_t result, std::string_view what) {
    if (result >= 0) return;
    const int error = static_cast<int>(-result);
    if (error == EBADF) throw SocketClosed();
    throw Error(describe_errno(what, error), error);
}

void require_ip(const Address& address, std::string_view who) {
    if (!address.is_ip()) throw UsageError(std::string(who) + " needs an IP address, not '" + address.str() + "'");
}

}  // namespace

UdpSocket::UdpSocket(const Address& local, const DatagramOptions& options)
    : UdpSocket(detail::this_reactor("UdpSocket"), local, options) {}

UdpSocket::UdpSocket(Reactor& reactor, const Address& local, const DatagramOptions& options)
    : core_(std::make_unique<detail::UdpSocketCore>(reactor, local, options)) {}

void UdpSocket::set_broadcast(bool on) {
    const int value = on ? 1 : 0;
    require_success(core().socket().set_option(SOL_SOCKET, SO_BROADCAST, &value, sizeof value), "set_broadcast");
}

void UdpSocket::join_group(const Address& group, const std::string& interface) {
    require_success(lariat::join_group(core().socket(), group, interface, true), "join " + group.host());
}

void UdpSocket::leave_group(const Address& group, const std::string& interface) {
    require_success(lariat::join_group(core().socket(), group, interface, false), "leave " + group.host());
}

void UdpSocket::set_multicast_ttl(int hops) {
    require_success(lariat::set_multicast_ttl(core().socket(), hops), "set_multicast_ttl");
}

void UdpSocket::set_multicast_loop(bool on) {
    require_success(lariat::set_multicast_loop(core().socket(), on), "set_multicast_loop");
}

void UdpSocket::set_multicast_interface(const std::string& interface) {
    require_success(lariat::set_multicast_interface(core().socket(), interface),
                    "set_multicast_interface " + interface);
}

namespace detail {

UdpSocketCore::UdpSocketCore(Reactor& reactor, const Address& local, const DatagramOptions& options)
    : Ready(tell),
      reactor_(reactor),
      socket_(reactor, [this](Datagram& datagram) { received(datagram); }, [this](int error) { failed(error); }) {
    require_ip(local, "UdpSocket");
    socket_.when_stopped([this] { schedule_tell(); });
    if (const int error = socket_.open(local, options); error < 0) {
        throw CannotListenError(local.host(), local.port(), -error);
    }
}

UdpSocketCore::~UdpSocketCore() {
    LARIAT_CHECK(!receiver_, "a UdpSocket was destroyed while a coroutine waits for a datagram");
    LARIAT_CHECK(senders_ == 0, "a UdpSocket was destroyed while a coroutine waits to send");
}

void UdpSocketCore::close() noexcept {
    socket_.close({});
    schedule_tell();
}

void UdpSocketCore::connect(const Address& peer) {
    require_ip(peer, "connect()");
    const int result = socket_.connect(peer);
    if (result == -EBADF) throw SocketClosed();
    if (result < 0) connect_error_from(-result).raise();
}

// Receiving

// From the loop, never inside a call of the coroutine that closes or sends.
void UdpSocketCore::schedule_tell() noexcept {
    if (!is_scheduled()) reactor_.schedule(*this);
}

void UdpSocketCore::tell(Ready& ready) noexcept {
    auto& self = static_cast<UdpSocketCore&>(ready);
    if (self.receiver_ && (self.has_arrived() || self.is_closed())) self.receiver_->advance();
}

Datagram UdpSocketCore::take() {
    if (arrived_.empty()) throw SocketClosed();
    Arrival oldest = std::move(arrived_.front());
    arrived_.pop_front();
    if (arrived_.empty() && paused_ && !is_closed()) {
        paused_ = false;
        socket_.start();
    }
    if (oldest.error != 0) connect_error_from(oldest.error).raise();
    return std::move(oldest.datagram);
}

void UdpSocketCore::wait(ReceiveFrom& receiver) noexcept {
    LARIAT_CHECK(!receiver_, "two coroutines receive from one UdpSocket; let one receive and hand out datagrams");
    receiver_ = &receiver;
    sent_ = 0;
    if (!started_) {
        started_ = true;
        socket_.start();
    }
}

void UdpSocketCore::received(Datagram& datagram) {
    const bool is_taken_now = receiver_ && arrived_.empty();
    if (!is_taken_now && datagram.data) datagram.data = Buffer::copy_of(datagram.data);
    arrived_.push_back({std::move(datagram)});
    if (receiver_) {
        receiver_->advance();
    } else if (arrived_.size() >= most_arrived && !paused_) {
        paused_ = true;
        socket_.pause();
    }
}

void UdpSocketCore::failed(int error) noexcept {
    if (!io::ReceiveFromOp::error_passes(error)) {
        log(LogLevel::warn, "udp", describe_errno("could not receive a datagram", error));
        return;
    }
    // The kernel keeps one, too: nobody may be receiving, and each datagram that is sent may bring one back.
    if (!arrived_.empty() && arrived_.back().error != 0) return;
    arrived_.push_back({{}, error});
    schedule_tell();
}

// Sending

bool SendDatagram::begin() noexcept {
    if (named_ && !to_.is_ip()) return true;
    if (core_.may_send_now()) {
        if (attempt()) return true;
    } else {
        core_.reactor().schedule(*this);
    }
    core_.sender_waits();
    return false;
}

// False when it waits for room.
bool SendDatagram::attempt() noexcept {
    result_ = core_.socket().send(std::span<const Bytes>(&bytes_, 1), to_);
    if (result_ != -EAGAIN) return true;
    core_.socket().wait_for_room(*this);
    return false;
}

void SendDatagram::advance() noexcept {
    if (!attempt()) return;
    core_.sender_goes_on();
    finish();
}

bool SendDatagram::withdraw() noexcept {
    Ready::unlink();
    RoomWaiter::unlink();
    core_.sender_goes_on();
    return true;
}

void SendDatagram::await_resume() const {
    check();
    if (named_) require_ip(to_, "send_to()");
    if (result_ == -EMSGSIZE) throw MessageLengthError(std::to_string(bytes_.size()) + " bytes", EMSGSIZE);
    require_success(result_, named_ ? "send to " + to_.str() : "send");
}

}  // namespace detail
}  // namespace lariat
