// SPDX-License-Identifier: MIT
// ClientCreator: a client connection without a factory of one's own, as a Deferred (Twisted: protocol.ClientCreator).
//
// Threads: the reactor's.
#pragma once

#include <lariat/coro/deferred.hpp>
#include <lariat/proto/connector.hpp>
#include <lariat/proto/protocol.hpp>

#include <cstdint>
#include <memory>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace lariat {

namespace detail {
/// Fires with `protocol` one turn after its connection_made(), or with why there is no connection.
Deferred<ProtocolPtr> connect_instance(Reactor& reactor, std::string_view host, std::uint16_t port,
                                       const ConnectOptions& options, ProtocolPtr protocol);
}  // namespace detail

/// Connects objects of class P, each made with copies of the arguments given here.
template <class P>
class ClientCreator {
public:
    template <class... A>
    explicit ClientCreator(Reactor& reactor, A&&... arguments)
        : reactor_(reactor), make_([kept = std::tuple<std::decay_t<A>...>(std::forward<A>(arguments)...)] {
              return std::apply([](const auto&... each) { return std::make_shared<P>(each...); }, kept);
          }) {}

    /// Fires with the protocol one turn after connection_made(), or fails with the ConnectError.
    ///
    /// Cancellation: stops connecting, or closes the connection.
    Deferred<std::shared_ptr<P>> connect_tcp(std::string_view host, std::uint16_t port,
                                             const ConnectOptions& options = {}) {
        return detail::connect_instance(reactor_, host, port, options, make_())
            .add_callback([](const ProtocolPtr& made) { return std::static_pointer_cast<P>(made); });
    }

private:
    Reactor& reactor_;
    Function<std::shared_ptr<P>()> make_;
};

}  // namespace lariat
