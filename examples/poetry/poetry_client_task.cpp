// SPDX-License-Identifier: MIT
// The Task style: what the other two say with classes is a loop here, and an error is an exception.
#include "poetry_client.hpp"

namespace poetry {
namespace {

using namespace lariat;

Task<std::string> get_poem(Download& download) {
    TcpStream server = co_await connect(download.host(), download.port());
    std::string poem;
    while (Buffer data = co_await server.read_some()) {
        poem += data.text();
        download.received(data.size());
    }
    co_return poem;
}

/// A server that fails is this download's business alone; a cancellation is no Error and ends them all.
Task<> get_or_fail(Download& download) {
    try {
        std::string poem = co_await get_poem(download);
        download.complete(std::move(poem));
    } catch (const Error&) {
        download.fail(Failure::current());
    }
}

Task<> get_all(TaskScope& scope, std::vector<Download>& downloads) {
    for (Download& download : downloads) scope.spawn(get_or_fail, std::ref(download));
    co_return;
}

}  // namespace

bool get_poetry_task(std::vector<Download>& downloads, const ReactorOptions& options) {
    Reactor reactor(options);
    run(reactor, with_scope(get_all, std::ref(downloads)));
    return reactor.exit_signal() == 0;
}

}  // namespace poetry
