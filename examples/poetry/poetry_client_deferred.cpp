// SPDX-License-Identifier: MIT
// The Deferred style: get_poem() gives a Deferred that fires with the poem or fails. Whoever asks chains
// callbacks to it, or awaits it in a function that returns a Deferred itself, as with Twisted's
// inlineCallbacks.
#include "poetry_client.hpp"

namespace poetry {
namespace {

using namespace lariat;

class PoetryProtocol : public Protocol {
public:
    void data_received(Bytes data) override;
    void connection_lost(const Failure& reason) override;

private:
    std::string poem_;
};

class PoetryFactory : public ClientFactory {
public:
    explicit PoetryFactory(Download& download) : download_(download) { set_protocol<PoetryProtocol>(); }

    /// Fires when the poem is there.
    Deferred<std::string> poem() const { return poem_; }

    void progress(std::size_t bytes) { download_.received(bytes); }
    void poem_received(std::string poem) { poem_.callback(std::move(poem)); }
    void poem_failed(const Failure& reason) { poem_.errback(reason); }
    void client_connection_failed(Connector&, const Failure& reason) override { poem_failed(reason); }

private:
    Download& download_;
    Deferred<std::string> poem_;
};

void PoetryProtocol::data_received(Bytes data) {
    poem_ += data.text();
    factory_as<PoetryFactory>().progress(data.size());
}

void PoetryProtocol::connection_lost(const Failure& reason) {
    auto& factory = factory_as<PoetryFactory>();
    if (reason.check<ConnectionDone>()) {
        factory.poem_received(std::move(poem_));
    } else {
        factory.poem_failed(reason);
    }
}

Deferred<std::string> get_poem(Reactor& reactor, Download& download) {
    const auto factory = std::make_shared<PoetryFactory>(download);
    reactor.connect_tcp(download.host(), download.port(), factory);
    return factory->poem();
}

/// Fires when every poem has arrived or failed; never fails itself.
Deferred<> get_all(Reactor& reactor, std::vector<Download>& downloads) {
    std::vector<Deferred<>> ends;
    for (Download& download : downloads) {
        ends.push_back(get_poem(reactor, download)
                           .add_callback([&download](std::string poem) { download.complete(std::move(poem)); })
                           .add_errback([&download](const Failure& reason) { download.fail(reason); }));
    }
    // All of them are under way by now; the order of waiting does not matter.
    for (const Deferred<>& end : ends) co_await end;
}

}  // namespace

bool get_poetry_deferred(std::vector<Download>& downloads, const ReactorOptions& options) {
    Reactor reactor(options);
    const Deferred<> all = get_all(reactor, downloads);
    all.add_both([&reactor] {
        if (reactor.running()) reactor.stop();
    });
    reactor.run();
    return reactor.exit_signal() == 0;
}

}  // namespace poetry
