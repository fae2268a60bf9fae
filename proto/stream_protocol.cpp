// SPDX-License-Identifier: MIT
#include <lariat/proto/stream_protocol.hpp>

#include <lariat/coro/spawned_roots.hpp>
#include <lariat/io/base/assert.hpp>
#include <lariat/proto/producer.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/runtime/ready.hpp>
#include <lariat/runtime/report.hpp>

#include <cerrno>
#include <cstddef>

namespace lariat {
namespace detail {

/// The StreamCore over a Transport. It is a pull producer of the transport that never produces: so it hears each time
/// everything written has left.
class TransportStream final : public StreamCore, private PullProducer, private Ready {
public:
    explicit TransportStream(std::shared_ptr<StreamProtocol> protocol)
        : Ready(loan_is_due), protocol_(std::move(protocol)), reactor_(this_reactor("a stream over a transport")) {
        transport().pause_producing();  // until somebody reads
        transport().register_producer(static_cast<PullProducer&>(*this));
    }

    void write(Bytes bytes) override {
        queued_ += bytes.size();
        transport().write(bytes);
    }
    void write(Buffer&& data) override {
        queued_ += data.size();
        transport().write(std::move(data));
    }
    /// At least what has not left: everything since the transport was empty.
    [[nodiscard]] std::size_t queued() const noexcept override { return is_open() ? queued_ : 0; }
    [[nodiscard]] Address local_address() const noexcept override { return is_open() ? transport().host() : Address(); }
    [[nodiscard]] Address peer_address() const noexcept override { return is_open() ? transport().peer() : Address(); }

    // What the protocol hears.
    void data_received(Bytes data) { take_in(transport().hold(data), true); }
    void peer_has_shut() { peer_ended(); }
    void everything_left() {
        queued_ = 0;
        wake_drained();
    }
    void connection_lost(const Failure& reason) {
        protocol_->stream_ = nullptr;
        if (lingers_) {
            lingers_->remove_lingering();
            delete this;
        } else {
            end_with(end_of(reason));
        }
    }

private:
    ~TransportStream() override { protocol_->stream_ = nullptr; }

    [[nodiscard]] bool is_open() const noexcept { return end() == still_open; }
    [[nodiscard]] Transport& transport() const noexcept { return protocol_->transport(); }

    void read_on() noexcept override { transport().resume_producing(); }
    void read_no_further() noexcept override { transport().pause_producing(); }
    void end_writing() noexcept override {
        transport().unregister_producer();  // write_connection_lost() takes its place
        transport().lose_write_connection();
    }
    void begin_close() noexcept override {
        transport().unregister_producer();  // the close would wait for it
        transport().lose_connection();
    }
    void begin_abort() noexcept override { transport().abort_connection(); }
    /// A shutdown of the reactor waits for what was written.
    void outlive_owner() noexcept override {
        if (is_open()) {
            begin_close();
            if (queued_ > 0 && reactor_.running()) {
                lingers_ = &SpawnedRoots::of(reactor_);
                lingers_->add_lingering();
                return;
            }
        }
        delete this;
    }
    void keep_loan() noexcept override {
        if (!is_scheduled()) reactor_.schedule(*this);
    }

    void resume_producing() override { everything_left(); }
    void stop_producing() override {}

    static void loan_is_due(Ready& ready) noexcept { static_cast<TransportStream&>(ready).return_loan(); }
    static int end_of(const Failure& reason) noexcept {
        if (reason.check<ConnectionDone>()) return closed_cleanly;
        if (reason.check<ConnectionAborted>()) return ECONNABORTED;
        const auto* error = reason.value<Error>();
        return error && error->os_error() > 0 ? error->os_error() : ECONNRESET;
    }

    const std::shared_ptr<StreamProtocol> protocol_;  // which holds the transport
    Reactor& reactor_;
    SpawnedRoots* lingers_ = nullptr;  // the owner is gone; only what was written is still to leave
    std::size_t queued_ = 0;
};

StreamProtocol::~StreamProtocol() = default;

void StreamProtocol::connection_made() { stream_ = new TransportStream(shared_from_this()); }

void StreamProtocol::data_received(Bytes data) {
    if (stream_) stream_->data_received(data);
}

void StreamProtocol::connection_lost(const Failure& reason) {
    if (stream_) stream_->connection_lost(reason);
}

void StreamProtocol::read_connection_lost() {
    if (stream_) stream_->peer_has_shut();
}

void StreamProtocol::write_connection_lost() {
    if (stream_) stream_->everything_left();
}

TcpStream StreamProtocol::take_stream() noexcept {
    LARIAT_CHECK(stream_ && !taken_, "the stream of a protocol is taken once, when its connection is made");
    taken_ = true;
    return TcpStream(stream_);
}

namespace {

/// `protocol` lives as long as the coroutine, which runs in it.
Task<> watch_over(std::shared_ptr<CoProtocol> protocol, TcpStream stream) {
    std::exception_ptr failed;
    try {
        co_await protocol->run(std::move(stream));
    } catch (const Cancelled&) {
    } catch (...) {
        failed = std::current_exception();
    }
    if (!failed) co_return;
    log_failure(protocol->log_prefix(), "Unhandled error in run()", Failure(failed, std::source_location()));
    protocol->transport().abort_connection();
}

}  // namespace
}  // namespace detail

void CoProtocol::connection_made() {
    StreamProtocol::connection_made();
    spawn(detail::watch_over, std::static_pointer_cast<CoProtocol>(shared_from_this()), take_stream());
}

TcpStream as_stream(Transport& transport, Bytes received) {
    if (!transport.connected()) throw UsageError("as_stream() was given a transport whose connection is lost");
    const auto protocol = std::make_shared<detail::StreamProtocol>();
    transport.switch_protocol(protocol);
    TcpStream stream = protocol->take_stream();
    if (!received.empty()) protocol->data_received(received);
    return stream;
}

}  // namespace lariat
