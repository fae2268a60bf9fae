// SPDX-License-Identifier: MIT
#include <lariat/testing/memory_reactor.hpp>

#include <lariat/testing/assertions.hpp>

#include <utility>

namespace lariat::testing {

MemoryReactor::MemoryReactor() { set_tcp_observer(this); }

MemoryReactor::~MemoryReactor() { set_tcp_observer(nullptr); }

int MemoryReactor::run(bool install_signal_handlers) {
    call_when_running([this] { stop(); });
    return Clock::run(install_signal_handlers);
}

void MemoryReactor::connecting(Connector& connector) {
    const ConnectOptions& options = connector.options();
    const Destination& to = connector.destination();
    tcp_clients.push_back({to.host, to.port,
                           std::static_pointer_cast<ClientFactory>(connector.factory().shared_from_this()),
                           options.timeout(), options.bind_address(), connector.shared_from_this()});
}

void MemoryReactor::listening(Port& port) {
    const ListenOptions& options = port.options();
    tcp_servers.push_back({port.wanted_port(), port.factory().shared_from_this(), options.backlog(),
                           options.interface(), port.shared_from_this()});
}

void RaisingMemoryReactor::connecting(Connector& connector) {
    if (connect_exception_) connect_exception_.raise();
    MemoryReactor::connecting(connector);
}

void RaisingMemoryReactor::listening(Port& port) {
    if (listen_exception_) listen_exception_.raise();
    MemoryReactor::listening(port);
}

std::optional<IOPump> ConnectionCompleter::succeed_once() {
    reactor_->advance(Duration::zero());  // what was just asked for has begun then
    for (const MemoryBackend::Attempt& attempt : reactor_->memory().attempts()) {
        if (!reactor_->memory().establish(attempt.fd)) continue;
        reactor_->turn();
        return IOPump(*reactor_);
    }
    return std::nullopt;
}

void ConnectionCompleter::fail_once(int error) {
    reactor_->advance(Duration::zero());
    const auto attempts = reactor_->memory().attempts();
    if (attempts.empty()) throw AssertionFailed("fail_once() was called and nothing is being connected");
    reactor_->memory().refuse(attempts.front().fd, error);
    reactor_->advance(Duration::zero());
}

}  // namespace lariat::testing
