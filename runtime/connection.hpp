// SPDX-License-Identifier: MIT
// Connection: a connected stream socket on a Reactor, with everything the kernel may touch: it receives into pooled
// buffers, queues what is written and sends it once per turn, closes in order. Protocol transports and coroutine
// streams are both made of it; it knows neither.
//
// Ownership: a Connection belongs to its Reactor. It outlives its user (a dead protocol, an ended coroutine) until the
// kernel has completed its last operation, then frees itself. Threads: the reactor's.
//
//   open --close()--> flushing --queue empty--> closing --last completion--> closed (user told, then freed)
//     \---abort(), disconnect(), error----------/
#pragma once

#include <lariat/io/address.hpp>
#include <lariat/io/base/bytes.hpp>
#include <lariat/io/base/intrusive_list.hpp>
#include <lariat/io/buffer.hpp>
#include <lariat/io/op.hpp>
#include <lariat/runtime/buffer_queue.hpp>
#include <lariat/runtime/ready.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace lariat {

class Reactor;

/// Who drives a Connection. Called from the loop only, never from inside a call of the Connection's. Must not throw.
class ConnectionUser {
public:
    /// Bytes arrived. Keep `data` by moving from it.
    virtual void received(Buffer data) = 0;
    /// The peer has sent its last byte; sending may go on.
    virtual void ended() = 0;
    /// Everything written has been handed to the kernel.
    virtual void drained() = 0;
    /// The last call: 0 after an orderly close(), otherwise why: a positive errno, ECONNABORTED after abort(). The
    /// Connection must not be used any more.
    virtual void closed(int error) = 0;

protected:
    ~ConnectionUser() = default;
};

struct DirtyTag;
struct RegistryTag;

class Connection final : public ListHook<DirtyTag>, public ListHook<RegistryTag> {
public:
    /// Takes a connected socket that the backend already cares for. It reads nothing before start_reading().
    static Connection& create(Reactor& reactor, int fd, ConnectionUser& user);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Receives until pause_reading(), the end of the stream or the end of the connection.
    void start_reading() noexcept;
    /// Nothing is handed to the user until start_reading() again; what the kernel still delivers waits here, and then
    /// TCP pushes back.
    void pause_reading() noexcept;
    [[nodiscard]] bool is_reading() const noexcept { return wants_read_; }

    /// Queues bytes; they leave when the callback returns that data came in by, else at the end of this turn, in one
    /// system call where they fit. Copies.
    /// After close() they still leave before the connection ends; once it is lost they are dropped.
    void write(Bytes bytes);
    /// Queues without copying.
    void write(Buffer buffer);
    /// Bytes queued and not yet taken by the kernel.
    [[nodiscard]] std::size_t queued() const noexcept { return queue_.size(); }

    /// Sends end of stream once the queue is empty; reading goes on. drained() follows, also when nothing was queued.
    void shutdown_write() noexcept;
    /// True once the end of stream has been sent; writes are then dropped.
    [[nodiscard]] bool has_shut_down_write() const noexcept { return shutdown_done_; }
    /// Orderly close: stops reading at once, sends what is queued, closes. closed(0) follows.
    void close() noexcept;
    /// Keeps close() from ending the connection while held, for producers that have more to come.
    void hold_close(bool held) noexcept;
    /// Closes now and drops what is queued; closed(`error`) follows.
    void disconnect(int error) noexcept;
    /// Like disconnect(ECONNABORTED), and the peer gets a reset.
    void abort() noexcept;
    /// The user is going away without waiting for closed(); close() or abort() must have been called.
    void forget_user() noexcept { user_ = nullptr; }

    [[nodiscard]] bool is_open() const noexcept { return state_ == State::open; }
    [[nodiscard]] int fd() const noexcept { return receive_.fd; }
    [[nodiscard]] Reactor& reactor() noexcept { return *reactor_; }
    [[nodiscard]] Address local_address() const noexcept;
    [[nodiscard]] Address peer_address() const noexcept;

    /// Called by the reactor once per turn for connections that were written to.
    void flush() noexcept;

private:
    enum class State : std::uint8_t { open, flushing, closing };

    Connection(Reactor& reactor, int fd, ConnectionUser& user) noexcept;
    ~Connection();

    static void on_receive(io::Op& op, io::Completion& completion) noexcept;
    static void on_send(io::Op& op, io::Completion& completion) noexcept;
    static void on_later(Ready& ready) noexcept;

    void received(io::Completion& completion) noexcept;
    void park(Buffer data) noexcept;
    void deliver_parked() noexcept;
    void send_when_writable() noexcept;
    void queue_emptied() noexcept;
    void begin_closing(int error) noexcept;
    [[nodiscard]] bool kernel_holds_us() const noexcept;
    void finish() noexcept;

    Reactor* reactor_;
    ConnectionUser* user_;
    io::ReceiveOp receive_;
    std::unique_ptr<io::SendOp> send_;  // exists only while the socket is full
    struct Later : Ready {
        explicit Later(Connection& owner) noexcept : Ready(on_later), connection(owner) {}
        Connection& connection;
    } later_;
    BufferQueue queue_;   // to be sent
    BufferQueue parked_;  // received and not wanted yet
    int error_ = 0;       // why the connection ended
    int read_error_ = 0;  // why receiving ended, told after what is parked
    State state_ = State::open;
    bool wants_read_ = false;
    bool answering_ = false;   // the user is being given data; what it writes is sent when it returns
    bool read_ended_ = false;  // the peer has sent its last byte
    bool end_delivered_ = false;
    bool shutdown_wanted_ = false;  // end of stream is to be sent when the queue is empty
    bool shutdown_done_ = false;
    bool close_held_ = false;
};

}  // namespace lariat
