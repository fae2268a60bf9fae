// SPDX-License-Identifier: MIT
#include <lariat/runtime/datagram_socket.hpp>

#include <lariat/io/base/timer_queue.hpp>
#include <lariat/io/op.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/runtime/ready.hpp>
#include <lariat/runtime/shutdown_listener.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <poll.h>
#include <utility>
#include <vector>

namespace lariat {
namespace {

// How long receiving rests when it has failed, for want of memory as a rule.
constexpr Duration failed_pause = std::chrono::milliseconds(100);

// Of one datagram, while what earlier ones have brought back is in the way.
constexpr int most_attempts = 3;

iovec vector_of(Bytes bytes) noexcept { return {const_cast<std::byte*>(bytes.data()), bytes.size()}; }

}  // namespace

struct DatagramSocket::Core final : ShutdownListener {
    Core(Reactor& reactor_, Function<void(Datagram&)> received_, Function<void(int)> failed_)
        : reactor(reactor_),
          receive(on_receive, this),
          room(on_room, this),
          received(std::move(received_)),
          failed(std::move(failed_)),
          later(*this),
          told(*this),
          retry(*this) {
        room.events = POLLOUT;
        reactor.add_shutdown_listener(*this);
    }

    void reactor_stopping() noexcept override {
        if (closing) return;
        close();
        if (owner && owner->stopped_) owner->stopped_();
    }

    struct Later : Ready {
        explicit Later(Core& owner) noexcept
            : Ready([](Ready& ready) noexcept { static_cast<Later&>(ready).core.advance(); }), core(owner) {}
        Core& core;
    };
    /// What a send has heard of an earlier datagram, to be told from the loop.
    struct Told : Ready {
        explicit Told(Core& owner) noexcept
            : Ready([](Ready& ready) noexcept {
                  auto& self = static_cast<Told&>(ready);
                  self.core.failed(self.error);
              }),
              core(owner) {}
        Core& core;
        int error = 0;
    };
    struct Retry : Timer {
        explicit Retry(Core& owner) noexcept
            : Timer([](Timer& timer) noexcept { static_cast<Retry&>(timer).core.arm(); }), core(owner) {}
        Core& core;
    };

    static void on_receive(io::Op& op, io::Completion& completion) noexcept {
        static_cast<Core*>(op.owner)->arrived(completion);
    }
    static void on_room(io::Op& op, io::Completion&) noexcept { static_cast<Core*>(op.owner)->advance(); }

    void arm() noexcept {
        if (started && !closing && !receive.in_flight()) reactor.backend().submit(receive);
    }

    void arrived(io::Completion& completion) noexcept {
        const int result = completion.result;
        if (!closing && result >= 0) {
            Datagram datagram(receive.from, std::move(completion.buffer), receive.truncated);
            received(datagram);
        } else if (!closing && result != -ECANCELED) {
            failed(-result);
        }
        if (completion.more) return;
        if (closing) {
            advance();
        } else if (result >= 0 || result == -ECANCELED || io::ReceiveFromOp::error_passes(-result)) {
            arm();  // unless still paused
        } else {
            reactor.timers().arm(retry, reactor.now() + failed_pause);
        }
    }

    // There may be room, or the end has come.
    void advance() noexcept {
        in_turn.append(waiters);
        while (RoomWaiter* waiter = in_turn.pop_front()) waiter->room();
        if (closing && !receive.in_flight() && !room.in_flight() && !later.is_scheduled()) finish();
    }

    // The kernel says of a connected socket that an earlier datagram was refused when the next one is to be sent, which
    // has not happened then; udp(7). A refusal never is of the datagram at hand; anything else is when it is said
    // twice, such as that there is no way to get there from here.
    std::ptrdiff_t send(std::span<const iovec> parts, const Address& to) noexcept {
        std::ptrdiff_t before = 0;
        for (int attempt = 0;; ++attempt) {
            const std::ptrdiff_t result = reactor.backend().try_send_to(receive.fd, parts, to);
            const bool passes = result < 0 && io::ReceiveFromOp::error_passes(static_cast<int>(-result));
            if (before < 0 && (result != before || before == -ECONNREFUSED)) tell_later(static_cast<int>(-before));
            if (!passes || (result == before && result != -ECONNREFUSED)) return result;
            if (attempt == most_attempts) return -EAGAIN;
            before = result;
        }
    }

    void tell_later(int error) noexcept {
        told.error = error;
        if (!told.is_scheduled()) reactor.schedule(told);
    }

    void close() noexcept {
        closing = true;
        retry.disarm();
        told.unlink();
        reactor.backend().cancel(receive);
        reactor.backend().cancel(room);
        reactor.schedule(later);  // nobody is told inside the caller's close()
    }

    void finish() noexcept {
        reactor.backend().close(receive.fd);
        if (owner) owner->core_ = nullptr;
        if (closed) closed();
        delete this;
    }

    Reactor& reactor;
    io::ReceiveFromOp receive;
    io::PollOp room;
    IntrusiveList<RoomWaiter> waiters;
    IntrusiveList<RoomWaiter> in_turn;  // that advance() tells
    Function<void(Datagram&)> received;
    Function<void(int)> failed;
    Function<void()> closed;
    Later later;
    Told told;
    Retry retry;
    DatagramSocket* owner = nullptr;
    bool started = false;
    bool closing = false;
};

DatagramSocket::DatagramSocket(Reactor& reactor, Function<void(Datagram&)> received, Function<void(int)> failed)
    : reactor_(reactor), received_(std::move(received)), failed_(std::move(failed)) {}

DatagramSocket::~DatagramSocket() {
    if (!core_) return;
    LARIAT_CHECK(core_->waiters.empty() && core_->in_turn.empty(),
                 "a DatagramSocket was destroyed while somebody waits for room to send");
    core_->owner = nullptr;
    if (!core_->closing) core_->close();
}

int DatagramSocket::open(const Address& local, const DatagramOptions& options) {
    LARIAT_CHECK(!core_ && received_, "a DatagramSocket is opened once");
    io::Backend& backend = reactor_.backend();
    const int fd = reactor_.open_socket(local.domain(), SOCK_DGRAM);
    if (fd < 0) return fd;
    const int on = 1;
    int result = 0;
    for (const auto& [wanted, option] :
         {std::pair(options.listen_multiple(), SO_REUSEADDR), std::pair(options.listen_multiple(), SO_REUSEPORT),
          std::pair(options.broadcast(), SO_BROADCAST)}) {
        if (wanted && result == 0) result = backend.set_option(fd, SOL_SOCKET, option, &on, sizeof on);
    }
    if (result == 0) result = backend.bind(fd, local);
    if (result < 0) {
        backend.close(fd);
        return result;
    }
    take(fd);
    return 0;
}

int DatagramSocket::adopt(int fd) {
    LARIAT_CHECK(!core_ && received_, "a DatagramSocket is opened once");
    const int result = reactor_.backend().adopt(fd);
    if (result == 0) take(fd);
    return result;
}

void DatagramSocket::take(int fd) {
    core_ = new Core(reactor_, std::move(received_), std::move(failed_));
    core_->receive.fd = core_->room.fd = fd;
    core_->owner = this;
}

void DatagramSocket::start() {
    LARIAT_CHECK(core_, "open() comes before start()");
    core_->started = true;
    core_->arm();
}

void DatagramSocket::pause() {
    if (!core_) return;
    core_->started = false;
    reactor_.backend().cancel(core_->receive);
}

void DatagramSocket::close(Function<void()> closed) {
    if (!core_) {  // the reactor's shutdown has closed it
        if (closed) reactor_.call_later(Duration::zero(), std::move(closed));
        return;
    }
    if (closed) {
        LARIAT_CHECK(!core_->closed, "somebody waits for the end of this DatagramSocket already");
        core_->closed = std::move(closed);
    }
    if (!core_->closing) core_->close();
}

int DatagramSocket::connect(const Address& to) {
    return is_open() ? reactor_.backend().connect(core_->receive.fd, to) : -EBADF;
}

std::ptrdiff_t DatagramSocket::send(std::span<const Bytes> parts, const Address& to) {
    if (!is_open()) return -EBADF;
    std::array<iovec, 16> few;
    if (parts.size() <= few.size()) {
        std::transform(parts.begin(), parts.end(), few.begin(), vector_of);
        return core_->send(std::span(few).first(parts.size()), to);
    }
    std::vector<iovec> many(parts.size());
    std::transform(parts.begin(), parts.end(), many.begin(), vector_of);
    return core_->send(many, to);
}

void DatagramSocket::wait_for_room(RoomWaiter& waiter) {
    LARIAT_CHECK(is_open(), "nobody can wait for room of a closed DatagramSocket");
    LARIAT_CHECK(local_address().is_ip() || peer_address().family() != Address::Family::none,
                 "a UNIX socket that is not connected always seems to have room; connect() it to wait for some");
    core_->waiters.push_back(waiter);
    if (!core_->room.in_flight()) reactor_.backend().submit(core_->room);
}

int DatagramSocket::set_option(int level, int name, const void* value, socklen_t size) {
    return is_open() ? reactor_.backend().set_option(core_->receive.fd, level, name, value, size) : -EBADF;
}

int DatagramSocket::get_option(int level, int name, void* value, socklen_t size) {
    return is_open() ? reactor_.backend().get_option(core_->receive.fd, level, name, value, size) : -EBADF;
}

void DatagramSocket::when_stopped(Function<void()> stopped) { stopped_ = std::move(stopped); }

bool DatagramSocket::is_open() const noexcept { return core_ && !core_->closing; }

Address DatagramSocket::local_address() const {
    Address address;
    if (core_) reactor_.backend().local_address(core_->receive.fd, address);
    return address;
}

Address DatagramSocket::peer_address() const {
    Address address;
    if (core_) reactor_.backend().peer_address(core_->receive.fd, address);
    return address;
}

}  // namespace lariat
