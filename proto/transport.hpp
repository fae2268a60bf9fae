// SPDX-License-Identifier: MIT
// Transport: the way out for a Protocol, whatever carries the bytes (Twisted: ITransport, ITCPTransport). An interface,
// so that other carriers and test fakes fit; tcp_transport.hpp is the one over sockets.
//
// Threads: the reactor's. No call of these enters a Protocol: callbacks come from the loop.
#pragma once

#include <lariat/io/address.hpp>
#include <lariat/io/base/bytes.hpp>
#include <lariat/io/base/error.hpp>
#include <lariat/io/buffer.hpp>
#include <lariat/proto/producer.hpp>
#include <lariat/proto/protocol.hpp>

#include <initializer_list>
#include <span>
#include <string>
#include <utility>

namespace lariat {

class Transport : public Consumer, public PushProducer {
public:
    /// Queues bytes; all that one turn of the loop wrote leaves at its end. After the connection was lost nothing
    /// happens. Copies, except for larger parts of what data_received() is being given, which are shared.
    void write(Bytes data) override = 0;
    /// Queues without a copy.
    void write(Buffer&& data) { write_owned(std::move(data)); }
    /// Like writing each part, with one look at the producer for all of them.
    virtual void write_sequence(std::span<const Bytes> parts) {
        for (Bytes part : parts) write(part);
    }
    void write_sequence(std::initializer_list<Bytes> parts) {
        write_sequence(std::span<const Bytes>(parts.begin(), parts.size()));
    }
    /// `data`, kept beyond data_received(): without a copy when it is part of what that call was given.
    [[nodiscard]] virtual Buffer hold(Bytes data) { return Buffer::copy_of(data); }

    /// Stops reading at once, sends everything queued, also what is written until the queue is
    /// empty, and closes.
    /// connection_lost(ConnectionDone) follows. While a pull producer or a paused push producer is registered the close
    /// waits for unregister_producer(). A second call does nothing.
    virtual void lose_connection() = 0;
    /// Drops everything; the peer sees a reset. connection_lost(ConnectionAborted) follows.
    virtual void abort_connection() { lose_connection(); }
    /// Ends the outgoing direction once everything written has left; reading goes on.
    virtual void lose_write_connection() = 0;

    /// Both ends of the connection; still known after it was lost.
    [[nodiscard]] virtual Address peer() const = 0;
    [[nodiscard]] virtual Address host() const = 0;

    /// Stops and resumes data_received(). What arrives meanwhile waits, and then TCP slows the peer down.
    void pause_producing() override = 0;
    void resume_producing() override = 0;
    /// As a producer: nobody takes its data any more, so it closes.
    void stop_producing() override { lose_connection(); }

    /// True until connection_lost().
    [[nodiscard]] virtual bool connected() const noexcept = 0;
    /// True from lose_connection() on.
    [[nodiscard]] virtual bool disconnecting() const noexcept = 0;
    /// True from connection_lost() on.
    [[nodiscard]] virtual bool disconnected() const noexcept { return !connected(); }
    /// The protocol on top; null once the connection is lost.
    [[nodiscard]] virtual ProtocolPtr protocol() const { return nullptr; }

    /// Puts another protocol on top and calls its make_connection(); the one before hears nothing any more (Twisted:
    /// `transport.protocol = p`). Also from within a callback of the one before. Errors: UsageError when the carrier
    /// cannot do that, or the connection is lost.
    virtual void switch_protocol(ProtocolPtr) { throw UsageError("this transport cannot change its protocol"); }

    /// Whether small segments leave at once (TCP_NODELAY). On by default, unlike in Twisted: the writes of one turn
    /// leave together anyway, so Nagle's algorithm could only delay them. Without effect on carriers other than TCP.
    [[nodiscard]] virtual bool tcp_no_delay() const { return true; }
    virtual void set_tcp_no_delay(bool) {}
    /// Whether the kernel probes an idle peer (SO_KEEPALIVE). Off by default.
    [[nodiscard]] virtual bool tcp_keep_alive() const { return false; }
    virtual void set_tcp_keep_alive(bool) {}
    /// The descriptor behind it, -1 when there is none.
    [[nodiscard]] virtual int handle() const noexcept { return -1; }
    /// Names the connection in the log.
    [[nodiscard]] virtual std::string log_prefix() const { return "transport"; }

protected:
    /// write(Buffer&&), for carriers that can keep what they are given.
    virtual void write_owned(Buffer data) { write(data.bytes()); }
};

}  // namespace lariat
