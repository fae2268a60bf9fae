// SPDX-License-Identifier: MIT
// Reactor::resolve(): one name to one IPv4 address, as a Deferred.
#include <lariat/coro/deferred.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/runtime/resolver.hpp>

#include <memory>
#include <utility>

namespace lariat {

Deferred<std::string> Reactor::resolve(std::string_view name, Duration timeout) {
    if (name.empty()) return succeed(std::string("0.0.0.0"));
    if (const auto literal = Address::from_host(name, 0); literal && literal->family() == Address::Family::ipv4) {
        return succeed(literal->host());
    }
    auto request = std::make_shared<ResolveRequest>();
    Deferred<std::string> address([request] { request->cancel(); });
    *request = resolver().resolve(name, 0, ResolveOptions().family(Address::Family::ipv4).timeout(timeout),
                                  [address](ResolveResult result) {
                                      if (result) {
                                          address.callback(result.addresses.front().host());
                                      } else {
                                          address.errback(result.failure);
                                      }
                                  });
    return address;
}

}  // namespace lariat
