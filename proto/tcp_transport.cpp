// SPDX-License-Identifier: MIT
#include <lariat/proto/tcp_transport.hpp>

#include <lariat/proto/connector.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/runtime/report.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <netinet/tcp.h>
#include <optional>
#include <utility>

namespace lariat {

struct TcpTransport::Extras {
    std::shared_ptr<Producer> producer;  // without an owner behind it for producers no shared_ptr owns
    PushProducer* push = nullptr;        // the same; null when it is a pull producer
    bool producer_paused = false;
    bool producer_owes_write = false;  // it was resumed while closing and has not written since
    Failure reason;                    // what escaped a callback
    std::optional<Address> host;
};

namespace {

Failure reason_for(int error) {
    // Shared, as in Twisted: most connections end like this.
    static const Failure done{ConnectionDone()};
    if (error == 0) return done;
    if (error == ECONNABORTED) return Failure(ConnectionAborted());
    return Failure(ConnectionLost({}, error));
}

/// Runs `call`; what escapes it is logged and ends nothing else.
template <class Call>
void guarded_call(const std::string& system, std::string_view callback, Call call) noexcept {
    try {
        call();
    } catch (...) {
        log_failure(system, "Unhandled error in " + std::string(callback), Failure::current());
    }
}

}  // namespace

TcpTransport::TcpTransport(Private, Reactor& reactor, const Address& peer, std::uint32_t session)
    : reactor_(&reactor), session_(session) {
    std::memcpy(&peer_, peer.data(), std::min<std::size_t>(peer.size(), sizeof peer_));
}

TcpTransport::~TcpTransport() = default;

std::shared_ptr<TcpTransport> TcpTransport::serve(Reactor& reactor, int fd, const Address& peer, ProtocolPtr protocol,
                                                  std::uint32_t session) {
    auto transport = std::make_shared<TcpTransport>(Private(), reactor, peer, session);
    transport->open(fd, std::move(protocol), nullptr);
    return transport;
}

void TcpTransport::open(int fd, ProtocolPtr protocol, std::shared_ptr<Connector> connector) {
    self_ = std::static_pointer_cast<TcpTransport>(shared_from_this());
    connector_ = std::move(connector);
    connection_ = &Connection::create(*reactor_, fd, *this);
    if (!protocol) {
        protocol_ = std::make_shared<Protocol>();
        lose_connection();
        return;
    }
    set_tcp_no_delay(true);
    protocol_ = std::move(protocol);
    half_closeable_ = dynamic_cast<HalfCloseableProtocol*>(protocol_.get());
    try {
        protocol_->make_connection(*this);
    } catch (...) {
        callback_failed("connection_made");
    }
    // Reading begins after connection_made(): connections that write something and close never submit a receive.
    opened_ = true;
    if (!paused_ && !disconnecting_) connection_->start_reading();
}

void TcpTransport::switch_protocol(ProtocolPtr next) {
    if (!connection_) throw UsageError("a transport changes its protocol only while it is connected");
    // It may be the one whose callback calls this.
    reactor_->call_later(Duration::zero(), [before = std::exchange(protocol_, std::move(next))] {});
    half_closeable_ = dynamic_cast<HalfCloseableProtocol*>(protocol_.get());
    protocol_->make_connection(*this);
}

void TcpTransport::received(Buffer data) {
    current_ = &data;
    try {
        protocol_->data_received(data.bytes());
    } catch (...) {
        callback_failed("data_received");
    }
    current_ = nullptr;
}

void TcpTransport::ended() {
    if (!half_closeable_) {
        // As in Twisted: what is still unsent is lost.
        connection_->disconnect(0);
        return;
    }
    read_ended_ = true;
    try {
        half_closeable_->read_connection_lost();
    } catch (...) {
        callback_failed("read_connection_lost");
    }
    if (write_ended_) connection_->close();
}

void TcpTransport::drained() {
    if (extras_ && extras_->producer && (!extras_->push || extras_->producer_paused)) {
        extras_->producer_paused = false;
        extras_->producer_owes_write = extras_->push != nullptr;
        const std::shared_ptr<Producer> producer = extras_->producer;  // it may unregister itself
        try {
            producer->resume_producing();
        } catch (...) {
            callback_failed("resume_producing");
        }
        return;
    }
    if (!write_ending_ || write_ended_ || disconnecting_) return;
    if (!connection_->has_shut_down_write()) {
        connection_->shutdown_write();  // and drained() comes again
        return;
    }
    write_ended_ = true;
    if (half_closeable_) {
        try {
            half_closeable_->write_connection_lost();
        } catch (...) {
            callback_failed("write_connection_lost");
        }
    }
    if (read_ended_) connection_->close();
}

void TcpTransport::closed(int error) {
    const std::shared_ptr<TcpTransport> self = std::move(self_);
    connection_ = nullptr;
    const Failure reason = extras_ && extras_->reason ? extras_->reason : reason_for(error);
    const std::string prefix = log_prefix();
    if (extras_ && extras_->producer) {
        const std::shared_ptr<Producer> producer = std::move(extras_->producer);
        guarded_call(prefix, "stop_producing", [&] { producer->stop_producing(); });
    }
    const ProtocolPtr protocol = std::move(protocol_);
    half_closeable_ = nullptr;
    guarded_call(prefix, "connection_lost", [&] { protocol->connection_lost(reason); });
    if (const std::shared_ptr<Connector> connector = std::move(connector_)) connector->connection_lost(reason);
}

void TcpTransport::callback_failed(const char* callback) noexcept {
    Failure failure = Failure::current();
    log_failure(log_prefix(), std::string("Unhandled error in ") + callback, failure);
    // Also when abort_connection() was called before: what escaped says more.
    extras().reason = std::move(failure);
    disconnecting_ = aborting_ = true;
    if (connection_) connection_->abort();
}

void TcpTransport::write(Bytes data) {
    if (!connection_ || write_ended_ || data.empty()) return;
    if (current_ && data.size() > share_above && current_->contains(data)) {
        connection_->write(current_->slice(data));
    } else {
        connection_->write(data);
    }
    if (extras_) pause_producer_if_full();
}

void TcpTransport::write_owned(Buffer data) {
    if (!connection_ || write_ended_ || data.empty()) return;
    connection_->write(std::move(data));
    if (extras_) pause_producer_if_full();
}

void TcpTransport::write_sequence(std::span<const Bytes> parts) {
    if (!connection_ || write_ended_ || parts.empty()) return;
    for (Bytes part : parts) {
        if (!part.empty()) connection_->write(part);
    }
    if (extras_) pause_producer_if_full();
}

Buffer TcpTransport::hold(Bytes data) {
    if (current_ && current_->contains(data)) return current_->slice(data);
    return Buffer::copy_of(data);
}

void TcpTransport::lose_connection() {
    if (!connection_ || disconnecting_) return;
    disconnecting_ = true;
    hold_close_for_producer();
    connection_->close();
}

void TcpTransport::abort_connection() {
    if (!connection_ || aborting_) return;
    disconnecting_ = aborting_ = true;
    connection_->abort();
}

void TcpTransport::lose_write_connection() {
    if (!connection_ || disconnecting_ || write_ending_) return;
    write_ending_ = true;
    if (connection_->queued() == 0) call_drained_soon();
}

void TcpTransport::call_drained_soon() {
    reactor_->call_later(Duration::zero(), [self = self_] {
        if (self->connection_ && self->connection_->queued() == 0) self->drained();
    });
}

void TcpTransport::pause_producing() {
    if (!connection_) return;
    paused_ = true;
    if (opened_) connection_->pause_reading();
}

void TcpTransport::resume_producing() {
    if (!connection_ || disconnecting_) return;
    paused_ = false;
    if (opened_ && !read_ended_) connection_->start_reading();
}

void TcpTransport::add_producer(Producer& producer, PushProducer* push) {
    // Not held unless it is registered: a producer may only live as long as this call.
    std::shared_ptr<Producer> held(producer.weak_from_this().lock(), &producer);
    if (extras_ && extras_->producer) {
        throw UsageError("a producer is registered already; unregister_producer() comes first");
    }
    if (!connection_) {
        producer.stop_producing();
        return;
    }
    Extras& state = extras();
    state.producer = held;
    state.push = push;
    state.producer_paused = state.producer_owes_write = false;
    hold_close_for_producer();
    if (push) return;
    try {
        producer.resume_producing();
    } catch (...) {
        callback_failed("resume_producing");
    }
}

void TcpTransport::unregister_producer() {
    if (!extras_ || !extras_->producer) return;
    extras_->producer.reset();
    extras_->push = nullptr;
    if (!connection_) return;
    hold_close_for_producer();
    if (write_ending_ && !write_ended_ && connection_->queued() == 0) call_drained_soon();
}

void TcpTransport::pause_producer_if_full() {
    if (!extras_->producer) return;
    extras_->producer_owes_write = false;
    if (extras_->push && connection_->queued() > pause_above) {
        extras_->producer_paused = true;
        const std::shared_ptr<Producer> producer = extras_->producer;
        try {
            extras_->push->pause_producing();
        } catch (...) {
            callback_failed("pause_producing");
        }
    }
    hold_close_for_producer();
}

// An un-paused push producer does not delay the close, as in Twisted (its documentation says otherwise).
void TcpTransport::hold_close_for_producer() noexcept {
    const bool held =
        extras_ && extras_->producer && (!extras_->push || extras_->producer_paused || extras_->producer_owes_write);
    connection_->hold_close(held && disconnecting_);
}

Address TcpTransport::peer() const {
    return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&peer_),
                                  peer_.sin6_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in));
}

Address TcpTransport::host() const {
    if (!extras_) extras_ = std::make_unique<Extras>();
    if (!extras_->host && connection_) extras_->host = connection_->local_address();
    return extras_->host.value_or(Address());
}

bool TcpTransport::tcp_no_delay() const { return option(IPPROTO_TCP, TCP_NODELAY); }
void TcpTransport::set_tcp_no_delay(bool on) { set_option(IPPROTO_TCP, TCP_NODELAY, on); }
bool TcpTransport::tcp_keep_alive() const { return option(SOL_SOCKET, SO_KEEPALIVE); }
void TcpTransport::set_tcp_keep_alive(bool on) { set_option(SOL_SOCKET, SO_KEEPALIVE, on); }

bool TcpTransport::option(int level, int name) const noexcept {
    int value = 0;
    return connection_ && reactor_->backend().get_option(handle(), level, name, &value, sizeof value) == 0
           && value != 0;
}

void TcpTransport::set_option(int level, int name, bool on) noexcept {
    const int value = on;
    if (connection_) reactor_->backend().set_option(handle(), level, name, &value, sizeof value);
}

int TcpTransport::handle() const noexcept { return connection_ ? connection_->fd() : -1; }

std::string TcpTransport::log_prefix() const {
    const std::string who = protocol_ ? protocol_->log_prefix() : "TcpTransport";
    if (connector_) return who + ",client";
    return who + "," + std::to_string(session_) + "," + peer().host();
}

TcpTransport::Extras& TcpTransport::extras() {
    if (!extras_) extras_ = std::make_unique<Extras>();
    return *extras_;
}

}  // namespace lariat
