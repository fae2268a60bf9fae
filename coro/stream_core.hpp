// SPDX-License-Identifier: MIT
// StreamCore: what a TcpStream owns: the bytes nobody has read yet, who waits, and how the stream ended. What carries
// the bytes is a class derived from it: a Connection (coro/connection_stream.hpp) or a Transport. Not for users.
//
// Threads: the reactor's.
#pragma once

#include <lariat/coro/frame_allocator.hpp>
#include <lariat/io/address.hpp>
#include <lariat/io/base/intrusive_list.hpp>
#include <lariat/io/buffer.hpp>

#include <cstddef>
#include <cstdint>

namespace lariat::detail {

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

class StreamCore {
public:
    static constexpr std::size_t high_water_mark = 64 * 1024;
    /// How much is read ahead of the reader.
    static constexpr std::size_t read_credit = 64 * 1024;

    /// How a connection stands: open, closed in order, or the errno of why it is lost.
    static constexpr int still_open = -1;
    static constexpr int closed_cleanly = 0;
    static constexpr int write_side_shut = -2;

    StreamCore(const StreamCore&) = delete;
    StreamCore& operator=(const StreamCore&) = delete;

    /// Throws what belongs to the end of a connection: ConnectionDone, ConnectionAborted, ConnectionLost, and
    /// UsageError for writing after the end was sent. Nothing when it is open.
    static void raise(int end);

    /// The owner goes: closes in the background.
    void leave() noexcept;

    // Reading
    [[nodiscard]] const Buffer& unread() const noexcept { return unread_; }
    /// True when nothing will come any more.
    [[nodiscard]] bool has_ended() const noexcept { return ended_ || end_ != still_open; }
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
    virtual void write(Bytes bytes) = 0;
    virtual void write(Buffer&& data) = 0;
    /// What was written and has not left.
    [[nodiscard]] virtual std::size_t queued() const noexcept = 0;
    void wait(StreamWaiter& waiter) noexcept { waiters_.push_back(waiter); }
    void shutdown_write() noexcept;

    // The end
    void close() noexcept;
    void abort() noexcept;
    [[nodiscard]] virtual Address local_address() const noexcept = 0;
    [[nodiscard]] virtual Address peer_address() const noexcept = 0;

    static void* operator new(std::size_t size) { return allocate_frame(size); }
    static void operator delete(void* memory, std::size_t size) noexcept { release_frame(memory, size); }

protected:
    StreamCore() noexcept = default;
    virtual ~StreamCore() = default;

    // What the carrier does; nothing of it is asked once it has ended.
    virtual void read_on() noexcept = 0;
    virtual void read_no_further() noexcept = 0;
    virtual void end_writing() noexcept = 0;
    virtual void begin_close() noexcept = 0;
    virtual void begin_abort() noexcept = 0;
    /// Nobody will ask for anything any more: sends what was written, closes, and destroys this when that is done.
    virtual void outlive_owner() noexcept = 0;

    // What it tells. Each resumes who waits for it; the stream may be gone when it returns.
    /// `on_loan`: the carrier needs the memory back soon.
    void take_in(Buffer data, bool on_loan);
    void peer_ended() noexcept;
    void wake_drained() noexcept;
    void end_with(int end) noexcept;

    /// What is unread stays on loan for now; the carrier calls return_loan() when this turn of the loop is over.
    virtual void keep_loan() noexcept {}
    void return_loan() noexcept;

private:
    void append_unread(const Buffer& data);
    void consumed() noexcept;

    StreamReader* reader_ = nullptr;
    IntrusiveList<StreamWaiter> waiters_;
    Buffer unread_;
    int end_ = still_open;
    bool on_loan_ = false;  // what is unread lies in memory of the carrier
    bool reading_ = false;
    bool ended_ = false;  // the peer has sent its last byte
    bool closing_ = false;
    bool write_shut_ = false;
};

struct LeaveStream {
    void operator()(StreamCore* core) const noexcept { core->leave(); }
};

}  // namespace lariat::detail
