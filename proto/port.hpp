// SPDX-License-Identifier: MIT
// Port: a listening TCP socket that builds a protocol with its Factory for each connection (Twisted: IListeningPort).
// It keeps itself alive while it listens.
//
// Threads: the reactor's.
#pragma once

#include <lariat/coro/deferred.hpp>
#include <lariat/io/address.hpp>
#include <lariat/proto/stop_waiters.hpp>
#include <lariat/runtime/acceptor.hpp>
#include <lariat/runtime/shutdown_listener.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace lariat {

class Factory;
class Reactor;

class Port final : public std::enable_shared_from_this<Port>, private ShutdownListener {
    struct Private {};

public:
    /// Made by Reactor::listen_tcp(), which also starts it. `descriptor`, if given, is a socket that listens already.
    static std::shared_ptr<Port> create(Reactor& reactor, std::uint16_t port, std::shared_ptr<Factory> factory,
                                        const ListenOptions& options, std::optional<int> descriptor = {});
    Port(Private, Reactor& reactor, std::uint16_t port, std::shared_ptr<Factory> factory, const ListenOptions& options,
         std::optional<int> descriptor);
    Port(const Port&) = delete;
    Port& operator=(const Port&) = delete;
    ~Port();

    /// Binds, listens, starts the factory and begins to accept; again after stop_listening(), on the same port or, when
    /// that was 0, on a new one. Errors: CannotListenError, then the factory is not started; UsageError while
    /// listening.
    void start_listening();
    /// Stops accepting at once. Fires from the loop, after the socket is closed and the factory stopped; fails with
    /// what stop_factory() threw. Connections stay open. Any number of calls; on a stopped Port it has fired already.
    Deferred<> stop_listening();

    /// The address it listens on, with the port the kernel chose; the last one after it was stopped.
    [[nodiscard]] Address host() const noexcept { return host_; }
    [[nodiscard]] bool listening() const noexcept { return state_ == State::listening; }
    [[nodiscard]] Factory& factory() const noexcept { return *factory_; }
    [[nodiscard]] const ListenOptions& options() const noexcept { return options_; }
    /// The port it was asked to listen on; 0 lets the kernel choose.
    [[nodiscard]] std::uint16_t wanted_port() const noexcept { return port_; }
    [[nodiscard]] Reactor& reactor() const noexcept { return *reactor_; }
    /// "<EchoFactory on 8000>", "<EchoFactory (not listening)>".
    [[nodiscard]] std::string str() const;

private:
    enum class State : std::uint8_t { stopped, listening, closing };

    void reactor_stopping() noexcept override;
    void open();
    int adopt(Acceptor& acceptor, int descriptor);
    void close() noexcept;
    void accepted(int fd) noexcept;
    void accept_failed(int error) noexcept;
    void closed() noexcept;

    Reactor* reactor_;
    std::shared_ptr<Factory> factory_;
    ListenOptions options_;
    Address host_;
    std::unique_ptr<Acceptor> acceptor_;
    std::shared_ptr<Port> self_;     // unless stopped
    detail::StopWaiters waiting_;    // of stop_listening()
    std::optional<int> descriptor_;  // to be adopted
    std::uint32_t sessions_ = 0;
    std::uint16_t port_;
    State state_ = State::stopped;
};

}  // namespace lariat
