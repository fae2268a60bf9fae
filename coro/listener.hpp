// SPDX-License-Identifier: MIT
// Listener: accepts TCP connections for coroutines. It binds when it is made; the kernel queues connections from then
// on.
//
//     Listener listener("0.0.0.0:8000");
//     co_await listener.serve(echo);  // one task per connection; all of them have ended when it returns
//
// Threads: the reactor's. Lifetime: a Listener must outlive the operations on it that are being awaited.
#pragma once

#include <lariat/coro/listener_core.hpp>
#include <lariat/coro/task.hpp>
#include <lariat/coro/task_scope.hpp>
#include <lariat/coro/tcp_stream.hpp>
#include <lariat/runtime/acceptor.hpp>

#include <functional>
#include <memory>
#include <utility>

namespace lariat {

class Listener {
public:
    /// Binds and listens on the current reactor. Port 0 lets the kernel choose, see local_address().
    /// Errors: CannotListenError.
    explicit Listener(const Address& address, const ListenOptions& options = {});
    /// The same on a reactor that is not running yet.
    Listener(Reactor& reactor, const Address& address, const ListenOptions& options = {});
    Listener(Listener&&) noexcept = default;
    Listener& operator=(Listener&&) noexcept = default;
    /// Stops listening. Connections that were accepted and not taken are closed.
    ~Listener() = default;

    /// Waits for a connection.
    ///
    /// Cancellation: a connection that came first wins; none is lost, the next accept() gives it.
    /// Errors: ListenerClosed. One coroutine accepts at a time.
    [[nodiscard]] detail::Accept accept() noexcept { return detail::Accept(core()); }

    /// Runs `handler(stream, arguments...)` as a task for every connection, until it is cancelled or the listener is
    /// closed; all handlers have ended when it returns.
    ///
    /// Lifetime: every handler gets copies of the arguments; std::ref passes a reference.
    /// Cancellation: cancels all handlers. After close() they go on to their own end.
    /// Errors: what leaves a handler is logged and ends that handler only.
    template <class F, class... A>
    [[nodiscard]] auto serve(F handler, A... arguments) -> Task<> {
        static_assert(std::is_void_v<detail::spawn_result<F, TcpStream, A...>>,
                      "a handler of connections returns Task<>");
        return with_scope(ScopePolicy::keep_going, accept_all<F, A...>, std::ref(core()), std::move(handler),
                          std::move(arguments)...);
    }

    /// Where it listens, with the port the kernel chose; no address after close().
    [[nodiscard]] Address local_address() const { return core().local_address(); }
    /// Stops listening now: a waiting accept() ends with ListenerClosed, serve() returns when its handlers have ended.
    void close() noexcept { core().close(); }

private:
    template <class F, class... A>
    static Task<> accept_all(TaskScope& scope, detail::ListenerCore& core, F handler, A... arguments) {
        while (true) {
            TcpStream peer = co_await detail::AcceptOrEnd(core);
            if (!peer.is_valid()) co_return;
            scope.spawn(handler, std::move(peer), arguments...);
        }
    }

    [[nodiscard]] detail::ListenerCore& core() const noexcept {
        LARIAT_CHECK(core_ != nullptr, "this Listener was moved from");
        return *core_;
    }

    std::unique_ptr<detail::ListenerCore> core_;
};

}  // namespace lariat
