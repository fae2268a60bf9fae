// SPDX-License-Identifier: MIT
// Coroutines on transports: a function that takes a TcpStream becomes a protocol, or takes over a transport.
//
//     reactor.listen_tcp(8000, as_protocol(echo));                  // Task<> echo(TcpStream peer)
//     TcpStream peer = as_stream(transport());                      // in a Protocol: from here on a coroutine speaks
//     struct Echo : CoProtocol { Task<> run(TcpStream peer) override; };
//
// Such a stream works on whatever the Transport is, with the same verbs and the same errors.
//
// Threads: the reactor's.
#pragma once

#include <lariat/coro/spawn.hpp>
#include <lariat/coro/task.hpp>
#include <lariat/coro/tcp_stream.hpp>
#include <lariat/io/base/bytes.hpp>
#include <lariat/proto/factory.hpp>
#include <lariat/proto/protocol.hpp>
#include <lariat/proto/transport.hpp>

#include <functional>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

namespace lariat {

namespace detail {

class TransportStream;

/// What a transport talks to while a TcpStream has it.
class StreamProtocol : public Protocol,
                       public HalfCloseableProtocol,
                       public std::enable_shared_from_this<StreamProtocol> {
public:
    StreamProtocol() noexcept = default;
    ~StreamProtocol() override;

    void connection_made() override;
    void data_received(Bytes data) final;
    void connection_lost(const Failure& reason) final;
    void read_connection_lost() final;
    void write_connection_lost() final;

    /// Once, after connection_made().
    [[nodiscard]] TcpStream take_stream() noexcept;

private:
    friend class TransportStream;

    TransportStream* stream_ = nullptr;  // null once it is gone
    bool taken_ = false;
};

}  // namespace detail

/// A Protocol whose behaviour is a coroutine, for porters: run() instead of callbacks.
///
/// run() is started as a task when the connection is made and owns the stream: the connection is closed when it lets
/// the stream go. The protocol lives as long as run(); factory() and transport() are there as ever, but what the stream
/// does must not be done to the transport as well.
///
/// Cancellation: the reactor's shutdown cancels it; the loss of the connection ends its reads and writes. Errors: what
/// leaves run() is logged, and aborts the connection.
class CoProtocol : public detail::StreamProtocol {
public:
    virtual Task<> run(TcpStream stream) = 0;

    void connection_made() final;
};

/// Takes the transport of a connected protocol over: from here on its bytes and its end go to the stream, and that
/// protocol hears nothing any more. `received` is what it had been given already and did not use.
///
/// Errors: UsageError when the transport cannot change its protocol, or is connected no more.
[[nodiscard]] TcpStream as_stream(Transport& transport, Bytes received = {});

namespace detail {

template <class F, class... A>
class CoroutineProtocol final : public CoProtocol {
public:
    explicit CoroutineProtocol(const F& function, const A&... arguments)
        : function_(function), arguments_(arguments...) {}

    Task<> run(TcpStream stream) override {
        return std::apply([&](A&... each) { return std::invoke(function_, std::move(stream), each...); }, arguments_);
    }

private:
    F function_;
    std::tuple<A...> arguments_;
};

}  // namespace detail

/// A factory whose connections each run `function(stream, arguments...)`, for listen_tcp() and connect_tcp(). Every
/// connection has copies of the function and the arguments that live until its task has ended; std::ref passes a
/// reference.
///
/// Cancellation and errors: as CoProtocol::run().
template <class F, class... A>
[[nodiscard]] std::shared_ptr<ClientFactory> as_protocol(F function, A... arguments) {
    static_assert(std::is_invocable_r_v<Task<>, F&, TcpStream, A&...>,
                  "the function of a protocol is called with a TcpStream and copies of the arguments, and returns "
                  "Task<>; write std::ref(x) for what must not be copied");
    return factory_for<detail::CoroutineProtocol<F, A...>>(std::move(function), std::move(arguments)...);
}

}  // namespace lariat
