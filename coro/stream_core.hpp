// SPDX-License-Identifier: MIT
// StreamCore: what a TcpStream owns: the user of its Connection, the bytes nobody has read yet, and who waits. Not for
// users.
//
// Threads: the reactor's.
#pragma once

#include <lariat/coro/frame_allocator.hpp>
#include <lariat/io/address.hpp>
#include <lariat/io/base/intrusive_list.hpp>
#include <lariat/io/buffer.hpp>
#include <lariat/runtime/connection.hpp>
#include <lariat/runtime/ready.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace lariat::detail {

class SpawnedRoots;

/// The one coroutine that reads.
class StreamReader {
public:
    /// Something arrived, or the stream ended. When that is enough it leaves the stream, resumes its coroutine and
    /// returns true; the stream may be gone by then.
    virtual bool advance() noexcept = 0;

protected:
    ~StreamReader() = default;
};

/// A coroutine that waits for the queue to empty or for the end of the connection.
class StreamWaiter : public ListHook<> {
public:
    enum class For : std::uint8_t { drained, closed };

    [[nodiscard]] For waits_for() const noexcept { return for_; }
    /// Called when it is in the stream's list no more; the stream may be gone when it returns.
    virtual void wake(int end) noexcept = 0;

protected:
    explicit StreamWaiter(For what) noexcept : for_(what) {}
    ~StreamWaiter() = default;

private:
    For for_;
};

class StreamCore final : private ConnectionUser, private Ready {
public:
    static constexpr std::size_t high_water_mark = 64 * 1024;
    /// How much is read ahead of the reader.
    static constexpr std::size_t read_credit = 64 * 1024;

    /// How a connection stands: open, closed in order, or the errno of why it is lost.
    static constexpr int still_open = -1;
    static constexpr int closed_cleanly = 0;
    static constexpr int write_side_shut = -2;

    /// Throws what belongs to the end of a connection: ConnectionDone, ConnectionAborted, ConnectionLost, and
    /// UsageError for writing after the end was sent. Nothing when it is open.
    static void raise(int end);

    static StreamCore* create(Reactor& reactor, int fd);
    /// The owner goes: closes in the background. A shutdown of the reactor waits for what was written.
    void leave() noexcept;

    // Reading
    [[nodiscard]] const Buffer& unread() const noexcept { return unread_; }
    /// True when nothing will come any more.
    [[nodiscard]] bool has_ended() const noexcept { return ended_ || !connection_; }
    /// False when it ended because of an error or of our own close().
    [[nodiscard]] bool peer_has_ended() const noexcept { return ended_; }
    [[nodiscard]] int end() const noexcept { return end_; }
    /// `reader` waits, and hears of everything that arrives. Panics when another one waits.
    void wait(StreamReader& reader) noexcept;
    void stop_waiting() noexcept { reader_ = nullptr; }
    /// Everything unread.
    Buffer take_all() noexcept;
    /// The first `size` bytes of what is unread.
    Buffer take(std::size_t size) noexcept;

    // Writing
    /// Why nothing can be written; still_open when it can.
    [[nodiscard]] int write_end() const noexcept;
    void write(Bytes bytes) { connection_->write(bytes); }
    void write(Buffer&& data) { connection_->write(std::move(data)); }
    [[nodiscard]] std::size_t queued() const noexcept { return connection_ ? connection_->queued() : 0; }
    void wait(StreamWaiter& waiter) noexcept { waiters_.push_back(waiter); }
    void shutdown_write() noexcept;

    // The end
    void close() noexcept;
    void abort() noexcept;
    [[nodiscard]] Address local_address() const noexcept;
    [[nodiscard]] Address peer_address() const noexcept;

    static void* operator new(std::size_t size) { return allocate_frame(size); }
    static void operator delete(void* memory, std::size_t size) noexcept { release_frame(memory, size); }

private:
    explicit StreamCore(Reactor& reactor, int fd);
    ~StreamCore() = default;

    void received(Buffer data) override;
    void ended() override;
    void drained() override;
    void closed(int error) override;

    void append_unread(const Buffer& data);
    void consumed() noexcept;
    void release_pool_later() noexcept;
    static void release_pool(Ready& ready) noexcept;

    Connection* connection_;
    StreamReader* reader_ = nullptr;
    IntrusiveList<StreamWaiter> waiters_;
    SpawnedRoots* lingers_ = nullptr;  // the owner is gone; only what was written is still to leave
    Buffer unread_;
    int end_ = still_open;
    bool unread_is_ours_ = false;  // on the heap, not in the receive pool
    bool reading_ = false;
    bool ended_ = false;  // the peer has sent its last byte
    bool closing_ = false;
    bool write_shut_ = false;
};

struct LeaveStream {
    void operator()(StreamCore* core) const noexcept { core->leave(); }
};

}  // namespace lariat::detail
