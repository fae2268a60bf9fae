// SPDX-License-Identifier: MIT
#include <lariat/runtime/connect_attempt.hpp>

#include <lariat/io/op.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/runtime/shutdown_listener.hpp>

#include <cerrno>
#include <utility>

namespace lariat {

struct ConnectAttempt::Core final : ShutdownListener {
    explicit Core(Reactor& reactor_) : reactor(reactor_), connect(on_connect, this) {
        reactor.add_shutdown_listener(*this);
    }

    // Also when it succeeds: nobody could use the connection any more.
    void reactor_stopping() noexcept override {
        stopping = true;
        reactor.backend().cancel(connect);
    }

    static void on_connect(io::Op& op, io::Completion& completion) noexcept {
        auto* self = static_cast<Core*>(op.owner);
        const int fd = op.fd;
        const int result = self->stopping ? -ECANCELED : completion.result;
        if (result < 0 || !self->handle) self->reactor.backend().close(fd);
        Done done = std::move(self->done);
        if (self->handle) self->handle->core_ = nullptr;
        const bool wanted = self->handle != nullptr;
        delete self;
        if (wanted) done(result < 0 ? result : fd);
    }

    Reactor& reactor;
    io::ConnectOp connect;
    Done done;
    ConnectAttempt* handle = nullptr;  // null once cancelled
    bool stopping = false;
};

ConnectAttempt::ConnectAttempt(ConnectAttempt&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {
    if (core_) core_->handle = this;
}

ConnectAttempt& ConnectAttempt::operator=(ConnectAttempt&& other) noexcept {
    if (this != &other) {
        cancel();
        core_ = std::exchange(other.core_, nullptr);
        if (core_) core_->handle = this;
    }
    return *this;
}

ConnectAttempt::~ConnectAttempt() { cancel(); }

int ConnectAttempt::start(Reactor& reactor, const Address& to, const std::optional<Address>& from, Done done,
                          bool* bind_failed) {
    LARIAT_CHECK(!core_, "this attempt is under way already");
    io::Backend& backend = reactor.backend();
    if (bind_failed) *bind_failed = false;
    const int fd = reactor.open_socket(to.domain(), SOCK_STREAM);
    if (fd < 0) return fd;
    if (from) {
        const int result = backend.bind(fd, *from);
        if (result < 0) {
            if (bind_failed) *bind_failed = true;
            backend.close(fd);
            return result;
        }
    }
    core_ = new Core(reactor);
    core_->connect.fd = fd;
    core_->connect.address = to;
    core_->done = std::move(done);
    core_->handle = this;
    backend.submit(core_->connect);
    return 0;
}

void ConnectAttempt::cancel() noexcept {
    if (!core_) return;
    core_->handle = nullptr;
    core_->done.reset();
    core_->reactor.backend().cancel(core_->connect);
    core_ = nullptr;
}

}  // namespace lariat
