// SPDX-License-Identifier: MIT
// Factories: make a Protocol per connection and hold what the connections of one service share. Held by the Ports and
// Connectors that use them and by the protocols they built.
//
// Threads: the reactor's.
#pragma once

#include <lariat/io/address.hpp>
#include <lariat/io/base/assert.hpp>
#include <lariat/io/base/function.hpp>
#include <lariat/proto/protocol.hpp>

#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace lariat {

class Connector;

/// Builds protocols for Ports (Twisted: protocol.Factory). Always owned by a shared_ptr.
class Factory : public std::enable_shared_from_this<Factory> {
public:
    Factory() noexcept = default;
    Factory(const Factory&) = delete;
    Factory& operator=(const Factory&) = delete;
    virtual ~Factory() = default;

    /// The first Port or Connector is about to use it, and the last has stopped to. Any number of times, in turn.
    virtual void start_factory() {}
    virtual void stop_factory() {}
    /// A protocol for a connection to `peer`; null refuses it. The default makes what set_protocol() said, with its
    /// factory() set to this.
    virtual ProtocolPtr build_protocol(const Address& peer);
    /// Names the factory in the log: its class without namespaces.
    [[nodiscard]] virtual std::string log_prefix() const;

    /// The class build_protocol() makes objects of, each with copies of `arguments` (Twisted: `protocol = P`).
    template <class P, class... A>
    void set_protocol(A&&... arguments) {
        make_ = [kept = std::tuple<std::decay_t<A>...>(std::forward<A>(arguments)...)]() -> ProtocolPtr {
            return std::apply([](const auto&... each) { return std::make_shared<P>(each...); }, kept);
        };
    }
    /// A P whose factory() is this one, for a build_protocol() of one's own.
    template <class P, class... A>
    [[nodiscard]] std::shared_ptr<P> build(A&&... arguments) {
        auto protocol = std::make_shared<P>(std::forward<A>(arguments)...);
        protocol->set_factory(weak_from_this().lock());
        return protocol;
    }

    /// How many Ports and Connectors use it now.
    [[nodiscard]] unsigned num_ports() const noexcept { return num_ports_; }
    /// Whether "Starting factory ..." and "Stopping factory ..." are logged. On by default.
    [[nodiscard]] bool noisy() const noexcept { return noisy_; }
    void set_noisy(bool noisy) noexcept { noisy_ = noisy; }

    /// Count its users and call start_factory() and stop_factory(); for Ports and Connectors. A do_stop() too many is
    /// ignored.
    void do_start();
    void do_stop();

private:
    Function<ProtocolPtr()> make_;
    unsigned num_ports_ = 0;
    bool noisy_ = true;
};

/// A Factory for listening only; says what it is for.
class ServerFactory : public Factory {};

/// A Factory that also hears how its connections are made and lost (Twisted: protocol.ClientFactory). It serves Ports
/// too.
class ClientFactory : public Factory {
public:
    /// An attempt has begun; `connector.stop_connecting()` may be called.
    virtual void started_connecting(Connector&) {}
    /// No connection was made. `connector.connect()` in here tries again without stopping the factory.
    virtual void client_connection_failed(Connector&, const Failure&) {}
    /// The connection is gone and its protocol has been told. `connector.connect()` in here connects anew.
    virtual void client_connection_lost(Connector&, const Failure&) {}
};

/// A factory that makes a `P(arguments...)` for each connection, fit for listen_tcp() and connect_tcp().
template <class P, class... A>
[[nodiscard]] std::shared_ptr<ClientFactory> factory_for(A&&... arguments) {
    auto factory = std::make_shared<ClientFactory>();
    factory->template set_protocol<P>(std::forward<A>(arguments)...);
    return factory;
}

/// A factory of class F, made with `arguments`, that makes a P for each connection (Twisted: F.forProtocol(P, ...)).
template <class P, class F, class... A>
[[nodiscard]] std::shared_ptr<F> for_protocol(A&&... arguments) {
    auto factory = std::make_shared<F>(std::forward<A>(arguments)...);
    factory->template set_protocol<P>();
    return factory;
}

template <class F>
F& Protocol::factory_as() const noexcept {
    Factory& made = factory();
    if (typeid(made) == typeid(F)) return static_cast<F&>(made);  // spares the search for nearly every caller
    auto* base = dynamic_cast<F*>(&made);
    LARIAT_CHECK(base != nullptr, "factory_as() was asked for a class the factory is not");
    return *base;
}

}  // namespace lariat
