// SPDX-License-Identifier: MIT
// Protocol: what one connection says and understands. Its Transport holds it from make_connection() until
// connection_lost() has returned, and it holds the Transport as long as it lives itself, so that a protocol that
// outlives its connection may still write: nothing happens then.
//
// Threads: the reactor's. Errors: what escapes a callback is logged and aborts the connection with that exception.
#pragma once

#include <lariat/io/base/assert.hpp>
#include <lariat/io/base/bytes.hpp>
#include <lariat/runtime/failure.hpp>

#include <memory>
#include <string>
#include <typeinfo>

namespace lariat {

class Factory;
class Transport;

/// One connection's behaviour (Twisted: protocol.Protocol). The callbacks do nothing unless overridden; none of them is
/// ever entered from within a call of the Transport's.
class Protocol {
public:
    Protocol() noexcept = default;
    Protocol(const Protocol&) = delete;
    Protocol& operator=(const Protocol&) = delete;
    virtual ~Protocol() = default;

    /// The connection is there: once, before anything else.
    virtual void connection_made() {}
    /// Some bytes, 1 or more, as they arrived: message boundaries are the protocol's business.
    ///
    /// Lifetime: `data` dies with the call; `transport().hold(data)` keeps it without a copy.
    virtual void data_received(Bytes data);
    /// The connection is gone: once, the last call. `reason` is ConnectionDone, ConnectionLost, ConnectionAborted, or
    /// what escaped another callback.
    virtual void connection_lost(const Failure& reason);
    /// Names the protocol in the log: its class without namespaces.
    [[nodiscard]] virtual std::string log_prefix() const;

    /// Ties it to `transport` and calls connection_made(). Called by transports and test fakes.
    ///
    /// Lifetime: held by the protocol when a shared_ptr owns it, else it must outlive the protocol's use of it.
    void make_connection(Transport& transport);

    /// The transport of make_connection(), also after the connection was lost.
    [[nodiscard]] Transport& transport() const noexcept {
        LARIAT_CHECK(transport_,
                     "a Protocol has no transport() before make_connection(): use it from connection_made() on");
        return *transport_;
    }
    /// True from make_connection() on and never false again, as in Twisted; see Transport::connected().
    [[nodiscard]] bool connected() const noexcept { return transport_ != nullptr; }

    /// The factory that built it, when that was a factory that says so, as the default build_protocol() does.
    [[nodiscard]] Factory& factory() const noexcept {
        LARIAT_CHECK(factory_, "this Protocol has no factory(): a build_protocol() of one's own must make it with "
                               "build<P>() or call set_factory()");
        return *factory_;
    }
    [[nodiscard]] bool has_factory() const noexcept { return factory_ != nullptr; }
    /// The factory as the class it was made as; a wrong class panics. `<lariat/proto/factory.hpp>` must be included.
    template <class F>
    [[nodiscard]] F& factory_as() const noexcept;
    void set_factory(std::shared_ptr<Factory> factory) noexcept;

private:
    std::shared_ptr<Transport> transport_;  // without an owner behind it for transports no shared_ptr owns
    std::shared_ptr<Factory> factory_;
};

using ProtocolPtr = std::shared_ptr<Protocol>;

/// Implemented beside Protocol by protocols that go on when one direction of the connection has ended (Twisted:
/// IHalfCloseableProtocol). Looked for once, when the connection is made.
class HalfCloseableProtocol {
public:
    /// The peer has sent its last byte; writing goes on.
    virtual void read_connection_lost() = 0;
    /// What was written before lose_write_connection() has left, and the end of the stream behind it.
    virtual void write_connection_lost() = 0;

protected:
    ~HalfCloseableProtocol() = default;
};

namespace detail {
/// The name of a class without namespaces and template arguments, as log prefixes have it.
std::string class_name(const std::type_info& type);
}  // namespace detail

}  // namespace lariat
