// SPDX-License-Identifier: MIT
#include <lariat/proto/client_creator.hpp>

#include <lariat/proto/factory.hpp>
#include <lariat/runtime/reactor.hpp>

#include <optional>
#include <utility>

namespace lariat::detail {
namespace {

class InstanceFactory final : public ClientFactory {
public:
    explicit InstanceFactory(ProtocolPtr instance) : instance_(std::move(instance)) { set_noisy(false); }

    ProtocolPtr build_protocol(const Address&) override {
        fire_soon([protocol = instance_](const Deferred<ProtocolPtr>& result) { result.callback(protocol); });
        return std::move(instance_);
    }
    void client_connection_failed(Connector&, const Failure& reason) override {
        fire_soon([reason](const Deferred<ProtocolPtr>& result) { result.errback(reason); });
    }

    void expect(Reactor& reactor, const Deferred<ProtocolPtr>& result) {
        reactor_ = &reactor;
        result_ = result;
    }
    void cancel_firing() {
        result_.reset();
        if (pending_.active()) pending_.cancel();
    }

private:
    template <class Fire>
    void fire_soon(Fire fire) {
        if (!result_) return;
        pending_ = reactor_->call_later(Duration::zero(), [fire, result = *std::move(result_)] { fire(result); });
        result_.reset();
    }

    ProtocolPtr instance_;
    Reactor* reactor_ = nullptr;
    std::optional<Deferred<ProtocolPtr>> result_;  // until its firing is scheduled
    DelayedCall pending_;
};

}  // namespace

Deferred<ProtocolPtr> connect_instance(Reactor& reactor, std::string_view host, std::uint16_t port,
                                       const ConnectOptions& options, ProtocolPtr protocol) {
    auto factory = std::make_shared<InstanceFactory>(std::move(protocol));
    auto connector = Connector::create(reactor, Destination{std::string(host), port}, factory, options);
    // Weak, as both hold the Deferred whose canceller this is; while there is something to cancel they live.
    Deferred<ProtocolPtr> result([weak_factory = std::weak_ptr(factory), weak_connector = std::weak_ptr(connector)] {
        const auto waiting = weak_factory.lock();
        if (const auto connecting = weak_connector.lock()) connecting->disconnect();
        if (waiting) waiting->cancel_firing();
    });
    factory->expect(reactor, result);
    connector->connect();
    return result;
}

}  // namespace lariat::detail
