// SPDX-License-Identifier: MIT
// MemoryReactor: a Clock that keeps a record of the TCP connections and ports it is asked for, and completes a
// connection only when a test says so (Twisted: MemoryReactorClock). Ports, connectors and transports are the real
// ones on a MemoryBackend, so that what passes here is not the kindness of a fake.
//
//     MemoryReactor reactor;
//     reactor.connect_tcp("example.org", 80, factory);
//     CHECK(reactor.tcp_clients.front().host == "example.org");
//     ConnectionCompleter(reactor).fail_once();
//
// Threads: one.
#pragma once

#include <lariat/io/address.hpp>
#include <lariat/io/base/clock.hpp>
#include <lariat/proto/connector.hpp>
#include <lariat/proto/factory.hpp>
#include <lariat/proto/port.hpp>
#include <lariat/runtime/failure.hpp>
#include <lariat/runtime/tcp_observer.hpp>
#include <lariat/testing/clock.hpp>
#include <lariat/testing/pump.hpp>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lariat::testing {

class MemoryReactor : public Clock, private TcpObserver {
public:
    /// A connection that was asked for.
    struct TcpClient {
        std::string host;
        std::uint16_t port = 0;
        std::shared_ptr<ClientFactory> factory;
        std::optional<Duration> timeout;
        std::optional<Address> bind_address;
        std::shared_ptr<Connector> connector;
    };
    /// A port that was asked for.
    struct TcpServer {
        std::uint16_t port = 0;
        std::shared_ptr<Factory> factory;
        int backlog = 0;
        std::string interface;
        std::shared_ptr<Port> listening_port;
    };

    MemoryReactor();
    ~MemoryReactor();

    /// Makes the calls that wait for the reactor to run, then stops, with everything that belongs to a shutdown.
    int run(bool install_signal_handlers = false);

    /// What was asked for, in order; a connector that tries again is there again. Tests may clear them.
    std::vector<TcpClient> tcp_clients;
    std::vector<TcpServer> tcp_servers;

protected:
    void connecting(Connector& connector) override;
    void listening(Port& port) override;
};

/// Refuses to listen, or to connect, with an exception of the test's choice; an empty Failure allows it.
class RaisingMemoryReactor final : public MemoryReactor {
public:
    explicit RaisingMemoryReactor(Failure listen_exception = {}, Failure connect_exception = {}) noexcept
        : listen_exception_(std::move(listen_exception)), connect_exception_(std::move(connect_exception)) {}

private:
    void connecting(Connector& connector) override;
    void listening(Port& port) override;

    Failure listen_exception_;
    Failure connect_exception_;
};

/// Decides what becomes of the connections of a MemoryReactor, the oldest first.
class ConnectionCompleter {
public:
    /// Lifetime: `reactor` must outlive it.
    explicit ConnectionCompleter(MemoryReactor& reactor) noexcept : reactor_(&reactor) {}

    /// Connects the oldest attempt that a port of the same reactor listens for; both protocols have been made when it
    /// returns. Gives what moves data between the two, or nothing when no attempt fits.
    std::optional<IOPump> succeed_once();
    /// Fails the oldest attempt with a positive errno, which becomes the Failure that it becomes on a real network:
    /// ConnectionRefused unless set otherwise. Errors: AssertionFailed when nothing is being connected.
    void fail_once(int error = ECONNREFUSED);

private:
    MemoryReactor* reactor_;
};

}  // namespace lariat::testing
