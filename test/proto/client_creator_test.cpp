// SPDX-License-Identifier: MIT
// ClientCreator: connections as Deferreds.
#include "scripted.hpp"

namespace lariat::test {
namespace {

class Named final : public Protocol {
public:
    Named(Events& events, std::string called) : name(std::move(called)), events_(events) {}
    void connection_made() override { events_.push_back(name + " made"); }
    void connection_lost(const Failure& reason) override { events_.push_back(name + " lost " + why(reason)); }

    std::string name;

private:
    Events& events_;
};

ClientCreator<Named> creator(Loop& loop) { return ClientCreator<Named>(loop.reactor, std::ref(loop.events), "client"); }

LARIAT_BACKEND_TEST_CASE(
    "C15 the Deferred of a ClientCreator fires with the protocol, one turn after connection_made") {
    Loop loop(backend_kind);
    auto port = loop.listen(factory_for<Protocol>());
    std::shared_ptr<Named> made;
    creator(loop)
        .connect_tcp("127.0.0.1", port->host().port())
        .add_callback([&](const std::shared_ptr<Named>& protocol) {
            loop.events.push_back("fired with " + protocol->name);
            made = protocol;
        });
    loop.until([&] { return loop.saw("client made"); });
    CHECK(made == nullptr);
    loop.until([&] { return made != nullptr; });
    CHECK(loop.events == Events{"client made", "fired with client"});
    CHECK(made->transport().connected());
}

LARIAT_BACKEND_TEST_CASE("C15 it fails with why there is no connection, from the loop") {
    Loop loop(backend_kind);
    auto port = loop.listen(factory_for<Protocol>());
    const std::uint16_t number = port->host().port();
    port->stop_listening().add_callback([&] { loop.events.emplace_back("closed"); });
    loop.until([&] { return loop.saw("closed"); });
    auto deferred = creator(loop).connect_tcp("127.0.0.1", number);
    deferred.add_errback([&](const Failure& failure) {
        loop.events.push_back("failed " + why(failure));
        return std::shared_ptr<Named>();
    });
    loop.until([&] { return loop.saw("failed ConnectionRefused"); });
}

LARIAT_BACKEND_TEST_CASE("C15 cancelling stops connecting and fails with Cancelled") {
    Loop loop(backend_kind);
    auto port = loop.listen(loop.idle_factory("server"));
    loop.take();
    auto deferred = creator(loop).connect_tcp("127.0.0.1", port->host().port());
    deferred.add_errback([&](const Failure& failure) {
        loop.events.push_back("failed " + why(failure));
        return std::shared_ptr<Named>();
    });
    deferred.cancel();
    CHECK(loop.events == Events{"failed Cancelled"});
    loop.settle();
    CHECK(loop.events == Events{"failed Cancelled"});
    CHECK(loop.reactor.delayed_calls().empty());
}

LARIAT_BACKEND_TEST_CASE("C15 cancelling between connection_made and the firing closes the connection") {
    Loop loop(backend_kind);
    auto port = loop.listen(factory_for<Protocol>());
    auto deferred = creator(loop).connect_tcp("127.0.0.1", port->host().port());
    deferred.add_errback([&](const Failure& failure) {
        loop.events.push_back("failed " + why(failure));
        return std::shared_ptr<Named>();
    });
    loop.until([&] { return loop.saw("client made"); });
    deferred.cancel();
    loop.until([&] { return loop.saw("client lost ConnectionDone"); });
    CHECK(loop.events == Events{"client made", "failed Cancelled", "client lost ConnectionDone"});
}

}  // namespace
}  // namespace lariat::test
