// SPDX-License-Identifier: MIT
// TcpStream: a connected TCP socket for coroutines. It owns the connection: when it goes, what was written still leaves
// and the connection is closed in the background.
//
//     while (Buffer data = co_await peer.read_some().within(30s)) co_await peer.write(std::move(data));
//
// Reading: the connection reads ahead by up to 64 KiB, then TCP pushes back; nothing is dropped. What nobody has taken
// within a turn of the loop is copied out of the receive pool, so that a slow reader holds none of its memory.
// Writing: what is written leaves at the end of the turn, all writes of the turn together.
//
// Threads: the reactor's. Lifetime: a TcpStream must outlive the operations on it that are being awaited.
#pragma once

#include <lariat/coro/connection_stream.hpp>
#include <lariat/coro/stream_core.hpp>
#include <lariat/coro/stream_operations.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace lariat {

class TcpStream {
public:
    /// Nothing written waits for the peer until this much is queued.
    static constexpr std::size_t high_water_mark = detail::StreamCore::high_water_mark;

    /// No connection; only assigning to it and destroying it make sense.
    TcpStream() noexcept = default;
    /// Takes a connected socket that the reactor's backend already cares for, and turns Nagle's algorithm off.
    TcpStream(Reactor& reactor, int fd) : core_(detail::ConnectionStream::create(reactor, fd)) {}
    /// Takes a core that something else carries; see proto/stream_protocol.hpp.
    explicit TcpStream(detail::StreamCore* core) noexcept : core_(core) {}
    TcpStream(TcpStream&&) noexcept = default;
    TcpStream& operator=(TcpStream&&) noexcept = default;
    /// Closes in the background after what was written has left. A peer that does not read keeps the connection and
    /// what is queued until TCP gives up; abort() does not wait. At shutdown it gets five seconds.
    ~TcpStream() = default;

    /// False when default-made or moved from.
    [[nodiscard]] bool is_valid() const noexcept { return core_ != nullptr; }

    /// Waits for at least one byte and gives what is there; an empty Buffer at the end of the stream.
    ///
    /// Cancellation: bytes that arrived first win; none are lost, the next read gives them. The same holds for
    /// within(). Errors: ConnectionLost when the connection broke, after everything that had arrived; ConnectionDone
    /// after close(). One coroutine reads at a time.
    [[nodiscard]] detail::ReadSome read_some() noexcept { return detail::ReadSome(core()); }

    /// Waits for exactly `size` bytes.
    ///
    /// Errors: EndOfStream when the stream ends before; what had arrived stays and can be read.
    [[nodiscard]] detail::ReadExactly read_exactly(std::size_t size) noexcept {
        return detail::ReadExactly(core(), size);
    }

    /// Waits for `delimiter` and gives everything up to and including it; an empty Buffer when the stream ends without
    /// another byte.
    ///
    /// Errors: EndOfStream when it ends in the middle; ProtocolViolation when `limit` bytes hold no delimiter. What had
    /// arrived stays and can be read.
    [[nodiscard]] detail::ReadUntil read_until(std::string delimiter, std::size_t limit = default_line_limit) noexcept {
        return detail::ReadUntil(core(), std::move(delimiter), limit);
    }
    /// Longer than any line of a text protocol, short enough that a peer without line ends costs little.
    static constexpr std::size_t default_line_limit = 16 * 1024;

    /// Queues a copy of `bytes` and goes on at once while less than high_water_mark is queued, otherwise when the queue
    /// is empty.
    ///
    /// Cancellation: ends the wait; what was queued still leaves.
    /// Errors: ConnectionLost, also when it happens during the wait; ConnectionDone after close().
    [[nodiscard]] detail::Write write(Bytes bytes) noexcept { return detail::Write(core(), bytes); }
    /// The same without copying.
    [[nodiscard]] detail::WriteBuffer write(Buffer&& data) noexcept {
        return detail::WriteBuffer(core(), std::move(data));
    }

    /// Waits until everything written has been handed to the kernel. Errors: like write().
    [[nodiscard]] detail::Drained drained() noexcept { return detail::Drained(core()); }

    /// Sends the end of the stream after what was written; reading goes on. Writing is an error from here on.
    void shutdown_write() noexcept { core().shutdown_write(); }

    /// Lets what was written leave, closes, and waits until it is closed. Reading ends at once.
    ///
    /// Cancellation: ends the wait; the connection still closes. Errors: ConnectionLost when bytes were lost.
    [[nodiscard]] detail::CloseStream close() noexcept { return detail::CloseStream(core()); }
    /// Closes now and drops what is queued; the peer sees a reset. Those who wait get ConnectionAborted.
    void abort() noexcept { core().abort(); }

    /// Our end and the peer's; no address once the connection is gone.
    [[nodiscard]] Address local_address() const noexcept { return core().local_address(); }
    [[nodiscard]] Address peer_address() const noexcept { return core().peer_address(); }

private:
    [[nodiscard]] detail::StreamCore& core() const noexcept {
        LARIAT_CHECK(core_ != nullptr, "this TcpStream is empty: it was moved from, or never connected");
        return *core_;
    }

    std::unique_ptr<detail::StreamCore, detail::LeaveStream> core_;
};

}  // namespace lariat
