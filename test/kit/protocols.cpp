// SPDX-License-Identifier: MIT
#include <lariat/testing/protocols.hpp>

#include <lariat/io/base/error.hpp>
#include <lariat/runtime/connection_error.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>

namespace lariat::testing {
namespace {

constexpr Duration look_every = std::chrono::milliseconds(10);

struct Wait {
    Reactor& reactor;
    std::vector<ProtocolPtr> protocols;
    DelayedCall next{};

    static void look(const std::shared_ptr<Wait>& self, const Deferred<>& done) {
        const bool connected = std::any_of(self->protocols.begin(), self->protocols.end(), [](const ProtocolPtr& each) {
            return each->connected() && each->transport().connected();
        });
        if (!connected) return done.callback();
        self->next = self->reactor.call_later(look_every, [self, done] { look(self, done); });
    }
};

}  // namespace

void AccumulatingProtocol::connection_made() {
    made = true;
    if (on_made_) on_made_();
}

void AccumulatingProtocol::connection_lost(const Failure& reason) {
    closed = true;
    closed_reason = reason;
    closed_deferred.callback();
}

ProtocolPtr AccumulatingFactory::build_protocol(const Address& peer_address) {
    peer = peer_address;
    protocol = std::make_shared<AccumulatingProtocol>();
    // Weak, as each would keep the other.
    protocol->on_made_ = [weak = weak_from_this(), made = std::weak_ptr(protocol)] {
        const auto maker = std::static_pointer_cast<AccumulatingFactory>(weak.lock());
        if (maker && !maker->protocol_connection_made.called()) maker->protocol_connection_made.callback(made.lock());
    };
    return protocol;
}

void AccumulatingFactory::client_connection_failed(Connector&, const Failure& reason) {
    if (!protocol_connection_made.called()) protocol_connection_made.errback(reason);
}

void NonStreamingProducer::resume_producing() {
    if (!consumer_ || counter >= 10) throw UsageError("BUG: resume called after unregister/finish.");
    consumer_->write(std::to_string(counter));
    if (++counter < 10) return;
    std::exchange(consumer_, nullptr)->unregister_producer();
    result.callback();
}

void NonStreamingProducer::stop_producing() {
    stopped = true;
    if (std::exchange(consumer_, nullptr)) result.callback();
}

void FakeDatagramTransport::connect(std::string_view host, std::uint16_t port) {
    if (peer_.is_ip()) throw UsageError("already connected, reconnecting is not currently supported");
    const std::optional<Address> to = Address::from_host(host, port);
    if (!to) throw InvalidAddressError(host, "not an IPv4 or IPv6 address");
    peer_ = *to;
}

Deferred<> FakeDatagramTransport::stop_listening() {
    stopped = true;
    return succeed();
}

Deferred<> FakeDatagramTransport::set_outgoing_interface(std::string_view interface) {
    outgoing_interface_ = interface;
    return succeed();
}

Deferred<> FakeDatagramTransport::change_membership(std::string_view group, std::string_view interface, bool join) {
    const std::pair membership{std::string(group), std::string(interface)};
    const auto found = std::find(groups.begin(), groups.end(), membership);
    if (join == (found != groups.end())) {
        return fail(MulticastJoinError(group, interface, join ? EADDRINUSE : EADDRNOTAVAIL));
    }
    if (join) {
        groups.push_back(membership);
    } else {
        groups.erase(found);
    }
    return succeed();
}

Deferred<> wait_until_all_disconnected(Reactor& reactor, std::vector<ProtocolPtr> protocols) {
    auto wait = std::make_shared<Wait>(Wait{reactor, std::move(protocols)});
    Deferred<> done([weak = std::weak_ptr(wait)] {
        if (const auto waiting = weak.lock(); waiting && waiting->next.active()) waiting->next.cancel();
    });
    Wait::look(wait, done);
    return done;
}

}  // namespace lariat::testing
