// SPDX-License-Identifier: MIT
#include <lariat/coro/listener.hpp>

#include <lariat/io/base/log.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/runtime/reactor.hpp>

namespace lariat {
namespace {

// Accepted connections that may wait for accept(); the rest wait in the kernel's queue, where they cost no descriptor.
constexpr std::size_t most_waiting = 64;

}  // namespace

Listener::Listener(const Address& address, const ListenOptions& options)
    : Listener(detail::this_reactor("Listener"), address, options) {}

Listener::Listener(Reactor& reactor, const Address& address, const ListenOptions& options)
    : core_(std::make_unique<detail::ListenerCore>(reactor, address, options)) {}

namespace detail {

ListenerCore::ListenerCore(Reactor& reactor, const Address& address, const ListenOptions& options)
    : Ready(tell_of_close),
      reactor_(reactor),
      acceptor_(
          reactor, [this](int fd) { accepted(fd); },
          [](int error) { log(LogLevel::warn, "listener", describe_errno("could not accept a connection", error)); }) {
    if (const int error = acceptor_.listen(address, options); error < 0) {
        throw CannotListenError(address.host(), address.port(), -error);
    }
}

ListenerCore::~ListenerCore() {
    LARIAT_CHECK(!waiter_, "a Listener was destroyed while a coroutine waits for a connection");
    for (const int fd : accepted_) reactor_.backend().close(fd);
}

void ListenerCore::close() noexcept {
    if (closed_) return;
    closed_ = true;
    acceptor_.close({});
    reactor_.schedule(*this);  // who waits is resumed from the loop, not inside the caller's close()
}

void ListenerCore::tell_of_close(Ready& ready) noexcept {
    auto& self = static_cast<ListenerCore&>(ready);
    if (self.waiter_) self.waiter_->advance();
}

TcpStream ListenerCore::take() {
    if (accepted_.empty()) return {};
    const int fd = accepted_.front();
    accepted_.pop_front();
    if (accepted_.empty() && paused_ && !closed_) {
        paused_ = false;
        acceptor_.start();
    }
    return TcpStream(reactor_, fd);
}

void ListenerCore::wait(AcceptBase& waiter) noexcept {
    LARIAT_CHECK(!waiter_, "two coroutines accept from one Listener; let one accept and hand out connections");
    waiter_ = &waiter;
    if (!started_) {
        started_ = true;
        acceptor_.start();
    }
}

void ListenerCore::accepted(int fd) {
    accepted_.push_back(fd);
    if (waiter_) {
        waiter_->advance();
    } else if (accepted_.size() >= most_waiting && !paused_) {
        paused_ = true;
        acceptor_.pause();
    }
}

}  // namespace detail
}  // namespace lariat
