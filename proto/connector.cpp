// SPDX-License-Identifier: MIT
#include <lariat/proto/connector.hpp>

#include <lariat/proto/factory.hpp>
#include <lariat/proto/tcp_transport.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/runtime/report.hpp>
#include <lariat/runtime/tcp_observer.hpp>

#include <utility>

namespace lariat {

std::string Destination::str() const {
    const bool bracketed = host.find(':') != std::string::npos;
    return (bracketed ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::shared_ptr<Connector> Connector::create(Reactor& reactor, Destination destination,
                                             std::shared_ptr<ClientFactory> factory, const ConnectOptions& options) {
    return std::make_shared<Connector>(Private(), reactor, std::move(destination), std::move(factory), options);
}

Connector::Connector(Private, Reactor& reactor, Destination destination, std::shared_ptr<ClientFactory> factory,
                     const ConnectOptions& options)
    : reactor_(&reactor), destination_(std::move(destination)), factory_(std::move(factory)), options_(options) {}

Connector::~Connector() = default;

void Connector::connect() {
    if (state_ != State::disconnected) throw UsageError("can't connect in this state");
    if (TcpObserver* observer = reactor_->tcp_observer()) observer->connecting(*this);
    if (!factory_started_) {
        factory_->do_start();
        factory_started_ = true;
    }
    state_ = State::connecting;
    begin_ = reactor_->call_later(Duration::zero(), [self = shared_from_this()] { self->look_up(); });
    if (options_.timeout()) {
        timeout_ = reactor_->call_later(
            *options_.timeout(), [self = shared_from_this()] { self->connection_failed(Failure(TimeoutError())); });
    }
    factory_->started_connecting(*this);
}

void Connector::reactor_stopping() noexcept { connection_failed(Failure(ConnectError(0, ConnectionLost::headline))); }

void Connector::look_up() {
    self_ = shared_from_this();
    reactor_->add_shutdown_listener(*this);
    if (const auto literal = Address::from_host(destination_.host, destination_.port)) {
        attempt(*literal);
        return;
    }
    // One IPv4 address, as Twisted's connectTCP.
    const ResolveOptions options = ResolveOptions().family(Address::Family::ipv4);
    lookup_ = reactor_->resolver().resolve(destination_.host, destination_.port, options, [this](ResolveResult result) {
        if (result) {
            attempt(result.addresses.front());
        } else {
            connection_failed(result.failure);
        }
    });
}

void Connector::attempt(const Address& to) {
    bool bind_failed = false;
    const int result =
        attempt_.start(*reactor_, to, options_.bind_address(), [this, to](int fd) { attempted(to, fd); }, &bind_failed);
    if (result == 0) return;
    connection_failed(bind_failed ? Failure(ConnectBindError(-result, errno_text(-result)))
                                  : Failure(ConnectError(-result, errno_text(-result))));
}

void Connector::attempted(const Address& to, int result) {
    if (result < 0) {
        connection_failed(connect_error_from(-result));
    } else {
        connected(to, result);
    }
}

void Connector::connected(const Address& peer, int fd) {
    const std::shared_ptr<Connector> self = self_;
    state_ = State::connected;
    forget_attempt();
    ProtocolPtr protocol;
    try {
        protocol = factory_->build_protocol(peer);
    } catch (...) {
        const Failure failure = Failure::current();
        log_failure(factory_->log_prefix(), "Unhandled error in build_protocol", failure);
        reactor_->backend().close(fd);
        connection_failed(Failure(ConnectError(0, failure.error_message())));
        return;
    }
    transport_ = std::make_shared<TcpTransport>(TcpTransport::Private(), *reactor_, peer, 0);
    transport_->open(fd, std::move(protocol), self);
}

void Connector::forget_attempt() noexcept {
    unlink();
    if (begin_.active()) begin_.cancel();
    if (timeout_.active()) timeout_.cancel();
    lookup_.cancel();
    attempt_.cancel();
}

void Connector::stop_connecting() {
    if (state_ != State::connecting) throw NotConnectingError("we're not trying to connect");
    connection_failed(Failure(UserError()));
}

void Connector::disconnect() {
    if (state_ == State::connecting) {
        stop_connecting();
    } else if (transport_) {
        transport_->lose_connection();
    }
}

void Connector::connection_failed(const Failure& reason) {
    const std::shared_ptr<Connector> self = shared_from_this();
    self_.reset();
    forget_attempt();
    state_ = State::disconnected;
    try {
        factory_->client_connection_failed(*this, reason);
    } catch (...) {
        log_failure(factory_->log_prefix(), "Unhandled error in client_connection_failed", Failure::current());
    }
    stop_factory_unless_reconnecting();
}

void Connector::connection_lost(const Failure& reason) {
    const std::shared_ptr<Connector> self = std::move(self_);
    transport_.reset();
    state_ = State::disconnected;
    try {
        factory_->client_connection_lost(*this, reason);
    } catch (...) {
        log_failure(factory_->log_prefix(), "Unhandled error in client_connection_lost", Failure::current());
    }
    stop_factory_unless_reconnecting();
}

void Connector::stop_factory_unless_reconnecting() noexcept {
    if (state_ != State::disconnected) return;
    factory_started_ = false;
    try {
        factory_->do_stop();
    } catch (...) {
        log_failure(factory_->log_prefix(), "Unhandled error in stop_factory", Failure::current());
    }
}

std::shared_ptr<Transport> Connector::transport() const { return transport_; }

}  // namespace lariat
