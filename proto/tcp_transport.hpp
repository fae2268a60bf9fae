// SPDX-License-Identifier: MIT
// TcpTransport: a Transport over a Connection of the runtime. It turns what the socket does into the calls of a
// Protocol, in Twisted's orders, and keeps itself and the protocol alive until connection_lost() has returned.
//
// Threads: the reactor's.
#pragma once

#include <lariat/io/address.hpp>
#include <lariat/proto/transport.hpp>
#include <lariat/runtime/connection.hpp>

#include <memory>
#include <netinet/in.h>
#include <string>

namespace lariat {

class Connector;
class Reactor;

class TcpTransport final : public Transport, private ConnectionUser {
    struct Private {};  // for make_shared: made by serve() and by Connectors

public:
    /// A push producer is paused when more than this is queued, and resumed when nothing is. Twisted's bufferSize.
    static constexpr std::size_t pause_above = 65536;
    /// Larger parts of a received buffer are shared by write() instead of copied; below, copying is cheaper than
    /// keeping the buffer from being received into again.
    static constexpr std::size_t share_above = 512;

    /// Puts `protocol` on the accepted socket `fd`, connection number `session` of its port.
    static std::shared_ptr<TcpTransport> serve(Reactor& reactor, int fd, const Address& peer, ProtocolPtr protocol,
                                               std::uint32_t session);
    TcpTransport(Private, Reactor& reactor, const Address& peer, std::uint32_t session);
    ~TcpTransport() override;

    using Transport::write;
    void write(Bytes data) override;
    using Transport::write_sequence;
    void write_sequence(std::span<const Bytes> parts) override;
    [[nodiscard]] Buffer hold(Bytes data) override;

    void lose_connection() override;
    void abort_connection() override;
    void lose_write_connection() override;

    [[nodiscard]] Address peer() const override;
    /// After the loss only when it was asked for before.
    [[nodiscard]] Address host() const override;

    void pause_producing() override;
    void resume_producing() override;
    void register_producer(PushProducer& producer) override { add_producer(producer, &producer); }
    void register_producer(PullProducer& producer) override { add_producer(producer, nullptr); }
    void unregister_producer() override;

    [[nodiscard]] bool connected() const noexcept override { return connection_ != nullptr; }
    [[nodiscard]] bool disconnecting() const noexcept override { return disconnecting_; }
    [[nodiscard]] ProtocolPtr protocol() const override { return protocol_; }
    void switch_protocol(ProtocolPtr next) override;
    [[nodiscard]] Reactor& reactor() const noexcept { return *reactor_; }

    [[nodiscard]] bool tcp_no_delay() const override;
    void set_tcp_no_delay(bool on) override;
    [[nodiscard]] bool tcp_keep_alive() const override;
    void set_tcp_keep_alive(bool on) override;
    [[nodiscard]] int handle() const noexcept override;
    /// "Echo,7,127.0.0.1" for connection 7 of a server, "Echo,client" for a client.
    [[nodiscard]] std::string log_prefix() const override;

private:
    friend class Connector;

    struct Extras;  // what few connections need

    void write_owned(Buffer data) override;

    // ConnectionUser
    void received(Buffer data) override;
    void ended() override;
    void drained() override;
    void closed(int error) override;

    /// Makes the connection; a null protocol closes it at once. `connector`, if any, hears of the loss.
    void open(int fd, ProtocolPtr protocol, std::shared_ptr<Connector> connector);
    void add_producer(Producer& producer, PushProducer* push);
    void pause_producer_if_full();
    void hold_close_for_producer() noexcept;
    void call_drained_soon();
    void callback_failed(const char* callback) noexcept;
    Extras& extras();
    [[nodiscard]] bool option(int level, int name) const noexcept;
    void set_option(int level, int name, bool on) noexcept;

    Connection* connection_ = nullptr;
    Reactor* reactor_;
    Buffer* current_ = nullptr;  // what data_received() is being given
    ProtocolPtr protocol_;
    HalfCloseableProtocol* half_closeable_ = nullptr;  // the protocol, if it is one
    mutable std::unique_ptr<Extras> extras_;
    std::shared_ptr<TcpTransport> self_;  // while the Connection exists
    std::shared_ptr<Connector> connector_;
    sockaddr_in6 peer_{};  // or an IPv4 address; an Address is four times the size
    std::uint32_t session_;
    bool opened_ = false;  // connection_made() has returned
    bool paused_ = false;
    bool disconnecting_ = false;
    bool aborting_ = false;
    bool read_ended_ = false;
    bool write_ending_ = false;
    bool write_ended_ = false;
};

}  // namespace lariat
