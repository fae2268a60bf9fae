// SPDX-License-Identifier: MIT
// The callback style: a PoetryProtocol collects one poem, its factory hears of the end, one way or the other.
#include "poetry_client.hpp"

#include <functional>

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
    PoetryFactory(Download& download, std::function<void()> ended) : download_(download), ended_(std::move(ended)) {
        set_protocol<PoetryProtocol>();
    }

    void poem_received(std::string poem) {
        download_.complete(std::move(poem));
        ended_();
    }
    void poem_failed(const Failure& reason) {
        download_.fail(reason);
        ended_();
    }
    void client_connection_failed(Connector&, const Failure& reason) override { poem_failed(reason); }

    Download& download() { return download_; }

private:
    Download& download_;
    std::function<void()> ended_;
};

void PoetryProtocol::data_received(Bytes data) {
    poem_ += data.text();
    factory_as<PoetryFactory>().download().received(data.size());
}

void PoetryProtocol::connection_lost(const Failure& reason) {
    auto& factory = factory_as<PoetryFactory>();
    // The end of the connection is the end of the poem, unless the connection broke.
    if (reason.check<ConnectionDone>()) {
        factory.poem_received(std::move(poem_));
    } else {
        factory.poem_failed(reason);
    }
}

}  // namespace

bool get_poetry_callbacks(std::vector<Download>& downloads, const ReactorOptions& options) {
    std::size_t running = downloads.size();
    Reactor reactor(options);
    const auto ended = [&running, &reactor] {
        // Connections that end because the reactor stops come here too.
        if (--running == 0 && reactor.running()) reactor.stop();
    };
    for (Download& download : downloads) {
        reactor.connect_tcp(download.host(), download.port(), std::make_shared<PoetryFactory>(download, ended));
    }
    reactor.run();
    return reactor.exit_signal() == 0;
}

}  // namespace poetry
