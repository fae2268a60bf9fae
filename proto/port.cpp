// SPDX-License-Identifier: MIT
#include <lariat/proto/port.hpp>

#include <lariat/io/base/log.hpp>
#include <lariat/io/base/unique_fd.hpp>
#include <lariat/proto/factory.hpp>
#include <lariat/proto/tcp_transport.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/runtime/report.hpp>
#include <lariat/runtime/tcp_observer.hpp>

#include <cerrno>
#include <utility>

namespace lariat {

std::shared_ptr<Port> Port::create(Reactor& reactor, std::uint16_t port, std::shared_ptr<Factory> factory,
                                   const ListenOptions& options, std::optional<int> descriptor) {
    auto made = std::make_shared<Port>(Private(), reactor, port, std::move(factory), options, descriptor);
    made->start_listening();
    return made;
}

Port::Port(Private, Reactor& reactor, std::uint16_t port, std::shared_ptr<Factory> factory,
           const ListenOptions& options, std::optional<int> descriptor)
    : reactor_(&reactor), factory_(std::move(factory)), options_(options), descriptor_(descriptor), port_(port) {}

Port::~Port() = default;

void Port::start_listening() {
    if (state_ != State::stopped) throw UsageError("can't start listening in this state");
    if (TcpObserver* observer = reactor_->tcp_observer()) observer->listening(*this);
    open();
    host_ = acceptor_->local_address();
    log(LogLevel::info, "Port", factory_->log_prefix() + " starting on " + std::to_string(host_.port()));
    try {
        factory_->do_start();
    } catch (...) {
        acceptor_.reset();
        throw;
    }
    state_ = State::listening;
    self_ = shared_from_this();
    reactor_->add_shutdown_listener(*this);
    acceptor_->start();
}

void Port::open() {
    const std::string& interface = options_.interface();
    auto acceptor = std::make_unique<Acceptor>(
        *reactor_, [this](int fd) { accepted(fd); }, [this](int error) { accept_failed(error); });
    int result = -EADDRNOTAVAIL;
    if (descriptor_) {
        result = adopt(*acceptor, *std::exchange(descriptor_, std::nullopt));  // only the first time, as in Twisted
    } else if (interface.empty()) {
        result = acceptor->listen(Address::any_ipv4(port_), options_);
    } else if (const auto address = Address::from_host(interface, port_)) {
        result = acceptor->listen(*address, options_);
    }
    if (result < 0) throw CannotListenError(interface, port_, -result);
    acceptor_ = std::move(acceptor);
}

// The Port gets a duplicate, so that the caller keeps his.
int Port::adopt(Acceptor& acceptor, int descriptor) {
    int listens = 0;
    int result = reactor_->backend().get_option(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, sizeof listens);
    if (result < 0) return result;
    if (!listens) return -EINVAL;
    UniqueFd own = UniqueFd::duplicate_of(descriptor);
    if (!own) return -errno;
    result = acceptor.adopt(own.get());
    if (result == 0) static_cast<void>(own.release());
    return result;
}

void Port::accepted(int fd) noexcept {
    Address peer;  // none when the peer has gone already
    reactor_->backend().peer_address(fd, peer);
    ProtocolPtr protocol;
    try {
        protocol = factory_->build_protocol(peer);
    } catch (...) {
        log_failure(factory_->log_prefix(), "Unhandled error in build_protocol", Failure::current());
    }
    if (protocol) {
        TcpTransport::serve(*reactor_, fd, peer, std::move(protocol), sessions_++);
    } else {
        reactor_->backend().close(fd);
    }
}

void Port::accept_failed(int error) noexcept {
    log(LogLevel::warn, factory_->log_prefix(), "Could not accept new connection (" + errno_text(error) + ")");
}

Deferred<> Port::stop_listening() {
    if (state_ == State::stopped) return succeed();
    Deferred<> stopped = waiting_.add();
    if (state_ == State::listening) close();
    return stopped;
}

void Port::reactor_stopping() noexcept {
    if (state_ == State::listening) close();
}

void Port::close() noexcept {
    state_ = State::closing;
    acceptor_->close([this] { closed(); });
}

void Port::closed() noexcept {
    const std::shared_ptr<Port> self = std::move(self_);
    acceptor_.reset();
    unlink();
    log(LogLevel::info, "Port", "(TCP Port " + std::to_string(host_.port()) + " Closed)");
    state_ = State::stopped;
    waiting_.fire_after([this] { factory_->do_stop(); }, factory_->log_prefix(), "Unhandled error in stop_factory");
}

std::string Port::str() const {
    const std::string name = factory_->log_prefix();
    if (state_ == State::stopped) return "<" + name + " (not listening)>";
    return "<" + name + " on " + std::to_string(host_.port()) + ">";
}

}  // namespace lariat
