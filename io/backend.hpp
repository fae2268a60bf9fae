// SPDX-License-Identifier: MIT
// Backend: the one seam to the outside world. Everything that reaches outside the process goes through it: sockets and
// their options, time, random numbers, waiting. Nobody else calls a socket system call, reads a clock or asks for
// randomness, so that a program runs unchanged on io_uring, on epoll and on a simulated network.
//
// Threads: everything belongs to the thread that runs the loop, except wake(). Errors: negative errno, never
// exceptions.
#pragma once

#include <lariat/io/address.hpp>
#include <lariat/io/base/bytes.hpp>
#include <lariat/io/base/clock.hpp>
#include <lariat/io/op.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <sys/uio.h>
#include <vector>

namespace lariat::io {

/// What is open or lent right now. All zero when a program has let go of everything.
struct Ledger {
    std::size_t operations = 0;   ///< in flight
    std::size_t descriptors = 0;  ///< opened or accepted through the backend and not closed
    std::size_t buffers = 0;      ///< receive buffers in users' hands
};

/// Counters since the backend was made.
struct Statistics {
    std::uint64_t waits = 0;           ///< calls of wait() that entered the kernel
    std::uint64_t submissions = 0;     ///< operations handed to the kernel
    std::uint64_t completions = 0;     ///< completions dispatched
    std::uint64_t sends = 0;           ///< try_send() calls
    std::uint64_t sends_refused = 0;   ///< of them, those that found the socket full
    std::uint64_t pool_exhausted = 0;  ///< receives that found no pooled buffer
    std::uint64_t queue_full = 0;      ///< submissions that had to wait for a place
    std::uint64_t overflows = 0;       ///< completion queue overflows survived
    std::uint64_t rearms = 0;          ///< multishot operations that ended by themselves and were armed again
};

/// What a simulated backend answers where a real one leaves the question to the system and to other threads.
class Simulation {
public:
    /// The addresses of `name`, their ports 0; null when nobody has it.
    [[nodiscard]] virtual const std::vector<Address>* look_up(std::string_view name) const = 0;
    /// How long something takes that really happens elsewhere: a name lookup, work in a thread.
    [[nodiscard]] virtual Duration draw_delay() noexcept = 0;
    /// A signal that asks this program to end, once; 0 when there is none.
    [[nodiscard]] virtual int take_signal() noexcept = 0;
    /// Other programs share the process: its signals are not this one's.
    [[nodiscard]] virtual bool shares_process() const noexcept = 0;

protected:
    ~Simulation() = default;
};

class Tape;

class Backend {
public:
    Backend() noexcept = default;
    Backend(const Backend&) = delete;
    Backend& operator=(const Backend&) = delete;
    /// No operation may be in flight any more; Buffers may outlive the backend.
    virtual ~Backend() = default;

    /// "uring", "epoll" or "sim".
    [[nodiscard]] virtual std::string_view name() const noexcept = 0;

    /// Starts `op`. It never completes inside this call and never fails here: a full queue only delays it.
    virtual void submit(Op& op) noexcept = 0;
    /// Asks `op` to end soon. It still completes: with what it achieved if that came first, else with -ECANCELED.
    /// Never lost, never blocking; nothing happens when the op is idle or was asked before.
    virtual void cancel(Op& op) noexcept = 0;

    /// Hands queued work to the kernel and waits until something completed, wake() was called or `deadline` passed;
    /// a deadline in the past (TimePoint::min()) only looks. Runs no handler. May return early, also without a cause.
    virtual void wait(TimePoint deadline) noexcept = 0;
    /// Runs the handlers of up to `budget` completions that wait() found, and returns how many it ran.
    virtual std::size_t dispatch(std::size_t budget) noexcept = 0;
    /// True while dispatch() has something left to run.
    [[nodiscard]] virtual bool has_completions() const noexcept = 0;
    /// Makes a wait() going on, or else the next one, return. From any thread and from signal handlers.
    virtual void wake() noexcept = 0;

    /// A socket of this kind, non-blocking and close-on-exec. `type` is SOCK_STREAM or SOCK_DGRAM.
    virtual int open_socket(int domain, int type) noexcept = 0;
    virtual int bind(int fd, const Address& address) noexcept = 0;
    virtual int listen(int fd, int backlog) noexcept = 0;
    /// Says whom a datagram socket sends to and hears from, at once; connect(2). For streams there is ConnectOp.
    virtual int connect(int fd, const Address& to) noexcept = 0;
    virtual int local_address(int fd, Address& address) noexcept = 0;
    virtual int peer_address(int fd, Address& address) noexcept = 0;
    virtual int set_option(int fd, int level, int name, const void* value, socklen_t size) noexcept = 0;
    virtual int get_option(int fd, int level, int name, void* value, socklen_t size) noexcept = 0;
    /// `how` is SHUT_RD, SHUT_WR or SHUT_RDWR.
    virtual int shutdown(int fd, int how) noexcept = 0;
    /// Closes `fd`. No operation on it may be in flight: its number may be somebody else's a moment later.
    virtual void close(int fd) noexcept = 0;
    /// Takes a connected or listening socket that was made elsewhere under the backend's care; on failure it stays the
    /// caller's.
    virtual int adopt(int fd) noexcept = 0;

    /// Sends what fits at once; -EAGAIN when nothing does. No SendOp may be in flight on `fd`.
    virtual std::ptrdiff_t try_send(int fd, std::span<const iovec> parts) noexcept = 0;
    /// Sends one datagram to `to`, or to whom connect() said when that is no address. It goes whole or not at all:
    /// -EAGAIN when there is no room, which PollOp waits for unless it is a UNIX socket that is not connected;
    /// -EMSGSIZE when no datagram can be that long.
    virtual std::ptrdiff_t try_send_to(int fd, std::span<const iovec> parts, const Address& to) noexcept = 0;
    /// Accepts one waiting connection; -EAGAIN when there is none. No AcceptOp may be in flight on `fd`.
    virtual int try_accept(int fd) noexcept = 0;

    [[nodiscard]] virtual TimePoint now() noexcept = 0;
    [[nodiscard]] virtual std::uint64_t random() noexcept = 0;

    /// Null on a real system.
    [[nodiscard]] virtual Simulation* simulation() noexcept { return nullptr; }

    /// Null unless the run is recorded or replayed. The loop must then tell it what else reaches the program
    /// (io/tape.hpp).
    [[nodiscard]] virtual Tape* tape() noexcept { return nullptr; }

    [[nodiscard]] virtual Ledger ledger() const noexcept = 0;
    [[nodiscard]] const Statistics& statistics() const noexcept { return statistics_; }

protected:
    using OpState = Op::State;

    // Op keeps its insides for backends only; these are the doors.
    static OpState state_of(const Op& op) noexcept { return op.state_; }
    static void set_state(Op& op, OpState state) noexcept { op.state_ = state; }
    static void*& slot_of(Op& op) noexcept { return op.slot_; }
    static Op*& next_of(Op& op) noexcept { return op.next_; }
    static std::uint32_t& index_of(Op& op) noexcept { return op.index_; }
    static Op::Handler& handler_of(Op& op) noexcept { return op.handler_; }
    void complete(Op& op, Completion& completion) noexcept {
        if (!completion.more) op.state_ = OpState::idle;
        ++statistics_.completions;
        op.handler_(op, completion);
    }

    Statistics statistics_;
};

}  // namespace lariat::io
