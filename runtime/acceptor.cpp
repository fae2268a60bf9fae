// SPDX-License-Identifier: MIT
#include <lariat/runtime/acceptor.hpp>

#include <lariat/io/base/timer_queue.hpp>
#include <lariat/io/op.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/runtime/ready.hpp>
#include <lariat/runtime/shutdown_listener.hpp>

#include <cerrno>

namespace lariat {
namespace {

// How long accepting rests when the system has no descriptors or memory left: long enough not to spin, short enough
// that clients, whose connections wait in the kernel's queue, hardly notice.
constexpr Duration exhausted_pause = std::chrono::milliseconds(100);

// Clients turned away in one go when the descriptor table is full.
constexpr int refusals_per_turn = 128;

}  // namespace

struct Acceptor::Core final : ShutdownListener {
    Core(Reactor& reactor_, Function<void(int)> accepted_, Function<void(int)> failed_)
        : reactor(reactor_),
          accept(on_accept, this),
          accepted(std::move(accepted_)),
          failed(std::move(failed_)),
          later(*this),
          retry(*this) {
        reactor.add_shutdown_listener(*this);
    }

    void reactor_stopping() noexcept override {
        if (!closing) close();
    }

    struct Later : Ready {
        explicit Later(Core& owner) noexcept
            : Ready([](Ready& ready) noexcept { static_cast<Later&>(ready).core.finish(); }), core(owner) {}
        Core& core;
    };
    struct Retry : Timer {
        explicit Retry(Core& owner) noexcept
            : Timer([](Timer& timer) noexcept { static_cast<Retry&>(timer).core.arm(); }), core(owner) {}
        Core& core;
    };

    static void on_accept(io::Op& op, io::Completion& completion) noexcept {
        static_cast<Core*>(op.owner)->completed(completion);
    }

    void arm() noexcept {
        if (!closing && !paused && !accept.in_flight()) reactor.backend().submit(accept);
    }

    void completed(const io::Completion& completion) noexcept {
        if (completion.result >= 0) {
            failing = false;
            if (closing) {
                reactor.backend().close(completion.result);
            } else {
                accepted(completion.result);
            }
        } else if (!closing && completion.result != -ECANCELED && !(failing && !completion.more)) {
            failed(-completion.result);
        }
        if (completion.more) return;
        if (closing) {
            finish();
        } else if (completion.result == -ECANCELED) {
            arm();  // unless still paused
        } else if (completion.result < 0) {
            failing = true;
            if (completion.result == -EMFILE || completion.result == -ENFILE) refuse_waiting();
            // Not armed again at once: while the table is full, io_uring's accept fails even when no client waits.
            reactor.timers().arm(retry, reactor.now() + exhausted_pause);
        } else {
            arm();
        }
    }

    // The descriptor table is full. Waiting clients would keep the socket ready for ever; giving up the reserved
    // descriptor lets them be accepted and closed, so that they see a refusal.
    void refuse_waiting() noexcept {
        io::Backend& backend = reactor.backend();
        release_reserve();
        for (int i = 0; i < refusals_per_turn; ++i) {
            const int fd = backend.try_accept(accept.fd);
            if (fd < 0) break;
            backend.close(fd);
        }
        reserve_descriptor();
    }

    void reserve_descriptor() noexcept {
        if (reserve < 0) reserve = reactor.backend().open_socket(AF_UNIX, SOCK_STREAM);
    }
    void release_reserve() noexcept {
        if (reserve >= 0) reactor.backend().close(std::exchange(reserve, -1));
    }

    void close() noexcept {
        closing = true;
        retry.disarm();
        if (accept.in_flight()) {
            reactor.backend().cancel(accept);
        } else {
            reactor.schedule(later);
        }
    }

    void finish() noexcept {
        release_reserve();
        reactor.backend().close(accept.fd);
        if (owner) owner->core_ = nullptr;
        if (closed) closed();
        delete this;
    }

    Reactor& reactor;
    io::AcceptOp accept;
    Function<void(int)> accepted;
    Function<void(int)> failed;
    Function<void()> closed;
    Later later;
    Retry retry;
    Acceptor* owner = nullptr;
    int reserve = -1;
    bool failing = false;  // accepting has ended with an error, which was told, and has not worked since
    bool paused = false;
    bool closing = false;
};

Acceptor::Acceptor(Reactor& reactor, Function<void(int)> accepted, Function<void(int)> failed)
    : reactor_(reactor), accepted_(std::move(accepted)), failed_(std::move(failed)) {}

Acceptor::~Acceptor() {
    if (!core_) return;
    core_->owner = nullptr;
    if (!core_->closing) core_->close();
}

int Acceptor::listen(const Address& address, const ListenOptions& options) {
    LARIAT_CHECK(!core_, "this Acceptor listens already");
    io::Backend& backend = reactor_.backend();
    const int fd = reactor_.open_socket(address.domain(), SOCK_STREAM);
    if (fd < 0) return fd;
    const int on = 1;
    int result = 0;
    if (address.is_ip()) result = backend.set_option(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (result == 0 && options.reuse_port()) {
        result = backend.set_option(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    }
    if (result == 0) result = backend.bind(fd, address);
    if (result == 0) result = backend.listen(fd, options.backlog());
    if (result < 0) {
        backend.close(fd);
        return result;
    }
    take(fd);
    return 0;
}

int Acceptor::adopt(int fd) {
    LARIAT_CHECK(!core_, "this Acceptor listens already");
    const int result = reactor_.backend().adopt(fd);
    if (result < 0) return result;
    take(fd);
    return 0;
}

void Acceptor::take(int fd) {
    core_ = new Core(reactor_, std::move(accepted_), std::move(failed_));
    core_->accept.fd = fd;
    core_->owner = this;
    core_->reserve_descriptor();
}

void Acceptor::start() {
    LARIAT_CHECK(core_, "listen() comes before start()");
    core_->paused = false;
    core_->arm();
}

void Acceptor::pause() {
    if (!core_) return;
    core_->paused = true;
    reactor_.backend().cancel(core_->accept);
}

void Acceptor::close(Function<void()> closed) {
    if (!core_) {  // the reactor's shutdown has closed it
        if (closed) reactor_.call_later(Duration::zero(), std::move(closed));
        return;
    }
    core_->closed = std::move(closed);
    if (!core_->closing) core_->close();
}

bool Acceptor::is_open() const noexcept { return core_ && !core_->closing; }

Address Acceptor::local_address() const {
    Address address;
    if (core_) reactor_.backend().local_address(core_->accept.fd, address);
    return address;
}

}  // namespace lariat
