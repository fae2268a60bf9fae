// SPDX-License-Identifier: MIT
// StringTransport: a Transport that keeps what is written to it, for a protocol that is tested alone (Twisted:
// StringTransport). Nothing happens by itself: the test calls data_received() and looks at value().
//
//     StringTransport transport;
//     auto greeter = std::make_shared<Greeter>();
//     greeter->make_connection(transport);
//     greeter->data_received("hello\r\n");
//     CHECK(transport.value() == "hi there\r\n");
//
// For two protocols that talk to each other, for producers that a full socket pauses, and for half-closes, use a pump
// (testing/pump.hpp), whose transports are the real ones.
//
// Lifetime: it must outlive the protocol's use of it. Threads: none.
#pragma once

#include <lariat/io/address.hpp>
#include <lariat/io/base/bytes.hpp>
#include <lariat/proto/producer.hpp>
#include <lariat/proto/protocol.hpp>
#include <lariat/proto/transport.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace lariat::testing {

class StringTransport : public Transport {
public:
    enum class ProducerState : std::uint8_t { producing, paused, stopped };

    /// The host is 10.0.0.1:12345 and the peer 192.168.1.1:54321, unless they are set.
    StringTransport() = default;
    StringTransport& set_host(const Address& host) noexcept { return host_ = host, *this; }
    StringTransport& set_peer(const Address& peer) noexcept { return peer_ = peer, *this; }
    /// pause_producing() and resume_producing() are allowed after lose_connection() too.
    StringTransport& set_lenient(bool on = true) noexcept { return lenient_ = on, *this; }

    /// Everything that was written since the last clear(), also after lose_connection().
    [[nodiscard]] const std::string& value() const noexcept { return written_; }
    void clear() noexcept { written_.clear(); }
    void write(Bytes data) override { written_ += data.text(); }

    /// Nothing but disconnecting() changes.
    void lose_connection() override { disconnecting_ = true; }
    /// The same, and disconnected().
    void abort_connection() override { disconnecting_ = disconnected_ = true; }
    /// Only noted.
    void lose_write_connection() override { write_ended_ = true; }
    [[nodiscard]] bool write_ended() const noexcept { return write_ended_; }

    [[nodiscard]] Address peer() const override { return peer_; }
    [[nodiscard]] Address host() const override { return host_; }
    [[nodiscard]] bool connected() const noexcept override { return !disconnected_; }
    [[nodiscard]] bool disconnecting() const noexcept override { return disconnecting_; }

    /// What the protocol has asked for. Errors, of the first two: UsageError once it was stopped, and after
    /// lose_connection() unless lenient.
    void pause_producing() override;
    void resume_producing() override;
    void stop_producing() override { producer_state_ = ProducerState::stopped; }
    [[nodiscard]] ProducerState producer_state() const noexcept { return producer_state_; }

    /// A producer is held; the test calls it. Errors: UsageError when one is registered already.
    void register_producer(PushProducer& producer) override { add_producer(producer, true); }
    void register_producer(PullProducer& producer) override { add_producer(producer, false); }
    void unregister_producer() override { producer_.reset(); }
    /// Null when none is registered.
    [[nodiscard]] Producer* producer() const noexcept { return producer_.get(); }
    /// Whether the one registered last is a PushProducer.
    [[nodiscard]] bool streaming() const noexcept { return streaming_; }

    /// Holds `next` and calls its make_connection() (Twisted: `transport.protocol = p`, and that).
    void switch_protocol(ProtocolPtr next) override;
    [[nodiscard]] ProtocolPtr protocol() const override { return protocol_; }

protected:
    /// The connection is gone; lets go of the protocol and gives it back.
    ProtocolPtr disconnect() noexcept;

private:
    void check_producing() const;
    void add_producer(Producer& producer, bool streaming);

    std::string written_;
    Address host_{"10.0.0.1:12345"};
    Address peer_{"192.168.1.1:54321"};
    ProtocolPtr protocol_;
    std::shared_ptr<Producer> producer_;  // without an owner behind it for producers no shared_ptr owns
    ProducerState producer_state_ = ProducerState::producing;
    bool streaming_ = false;
    bool lenient_ = false;
    bool disconnecting_ = false;
    bool disconnected_ = false;
    bool write_ended_ = false;
};

/// A StringTransport that tells the protocol put on it with switch_protocol() of the end: lose_connection() calls its
/// connection_lost(ConnectionDone) at once, abort_connection() with ConnectionAborted.
///
/// Unlike the real transports, which never call a protocol from inside one of its own calls.
class StringTransportWithDisconnection final : public StringTransport {
public:
    void lose_connection() override;
    void abort_connection() override;

private:
    void tell(const Failure& reason);
};

}  // namespace lariat::testing
