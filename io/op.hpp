// SPDX-License-Identifier: MIT
// Operations: what a Backend is asked to do. An Op is intrusive and owned by whoever submits it; it owns or pins
// everything the kernel may touch, from submit() until its last completion has been handed to its handler.
//
//   idle --submit--> in flight --(completion with more = true)*--> in flight --(completion with more = false)--> idle
//
// Exactly one completion with `more == false` follows every submit(), whatever happens: success, error or cancellation.
// The op is idle again when that handler call begins, so the handler may submit it anew or destroy it.
#pragma once

#include <lariat/io/address.hpp>
#include <lariat/io/base/assert.hpp>
#include <lariat/io/buffer.hpp>

#include <cerrno>
#include <cstdint>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

namespace lariat::io {

enum class Verb : std::uint8_t {
    accept,        ///< multishot; result: a connected descriptor, non-blocking and close-on-exec
    connect,       ///< result: 0
    receive,       ///< multishot; result: bytes in `buffer`, 0 at the end of the stream
    send,          ///< result: bytes sent; short only when an error or a cancellation cut it
    poll,          ///< one shot; result: the poll(2) events that are true
    file,          ///< one shot; result: what FileRequest::Action says
    receive_from,  ///< multishot; result: bytes of a datagram in `buffer`, 0 for an empty one
};

/// One result of an operation. Whoever handles it owns what is in it.
struct Completion {
    std::int32_t result;  ///< what the verb says, or a negative errno
    bool more;            ///< the operation is still in flight and will complete again
    Buffer buffer;        ///< receive and receive_from only
};

class Op {
public:
    /// Called by Backend::dispatch(). May submit, cancel and destroy operations, this one included when !more.
    using Handler = void (*)(Op& op, Completion& completion) noexcept;

    Op(const Op&) = delete;
    Op& operator=(const Op&) = delete;

    [[nodiscard]] bool in_flight() const noexcept { return state_ != State::idle; }
    [[nodiscard]] bool cancel_requested() const noexcept { return state_ == State::cancelling; }
    [[nodiscard]] Verb verb() const noexcept { return verb_; }

    int fd = -1;            ///< set before submit(), unchanged while in flight
    void* owner = nullptr;  ///< for the handler

protected:
    Op(Verb verb, Handler handler, void* owner_) noexcept : owner(owner_), handler_(handler), verb_(verb) {}
    ~Op() { LARIAT_CHECK(!in_flight(), "an operation was destroyed while the kernel may still use its memory"); }

private:
    friend class Backend;

    enum class State : std::uint8_t { idle, queued, in_kernel, cancelling };

    Handler handler_;
    void* slot_ = nullptr;     // the backend's bookkeeping
    Op* next_ = nullptr;       // the backend's queue of operations waiting for a place
    std::uint32_t index_ = 0;  // the backend's list of operations to look after
    Verb verb_;
    State state_ = State::idle;
};

/// Accepts connections until it fails or is cancelled. An error that concerns only the connection that was waiting,
/// such as -ECONNABORTED, is reported with more = true and does not end it; running out of descriptors or memory does.
class AcceptOp final : public Op {
public:
    AcceptOp(Handler handler, void* owner_) noexcept : Op(Verb::accept, handler, owner_) {}
};

class ConnectOp final : public Op {
public:
    ConnectOp(Handler handler, void* owner_) noexcept : Op(Verb::connect, handler, owner_) {}
    Address address;
};

/// Receives until the end of the stream, an error or a cancellation. Data that arrived before a cancellation is still
/// delivered.
class ReceiveOp final : public Op {
public:
    ReceiveOp(Handler handler, void* owner_) noexcept : Op(Verb::receive, handler, owner_) {}
};

/// Receives datagrams until it fails or is cancelled, each whole and with its sender. An error that an earlier datagram
/// of ours has brought back, such as -ECONNREFUSED, is reported with more = true and does not end it.
class ReceiveFromOp final : public Op {
public:
    /// The longest datagram that comes whole; UDP has none that is longer.
    static constexpr std::size_t most_bytes = 64 * 1024;

    ReceiveFromOp(Handler handler, void* owner_) noexcept : Op(Verb::receive_from, handler, owner_) {}
    /// True for the errors that a datagram sent earlier may bring back: ip(7), "Error handling", icmp(7), and what IPv6
    /// adds.
    static bool error_passes(int error) noexcept {
        switch (error) {
        case ECONNREFUSED:
        case EHOSTUNREACH:
        case ENETUNREACH:
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case ENONET:
        case EPROTO:
        case EACCES:
        case EMSGSIZE:
        case EOPNOTSUPP: return true;
        default: return false;
        }
    }

    Address from;            ///< set for each completion; none for an unnamed UNIX socket
    bool truncated = false;  ///< set for each completion: there was more than most_bytes
};

/// Sends all of its parts, waiting for room as often as it takes. At most one per stream may be in flight: sends that
/// overlap may be reordered by the kernel.
class SendOp final : public Op {
public:
    static constexpr std::size_t max_parts = 16;  // 16 parts of 4 KiB fill one 64 KiB segment

    SendOp(Handler handler, void* owner_) noexcept : Op(Verb::send, handler, owner_) {}
    iovec parts[max_parts] = {};  ///< must stay valid, with the bytes, while in flight
    std::uint32_t part_count = 0;
    msghdr header = {};  ///< the backend's
};

/// Waits once for poll(2) events on any descriptor; regular files are always ready. Beside what was asked for there may
/// be POLLERR, POLLHUP and POLLNVAL; on io_uring also POLLRDHUP, alone, when the peer has ended its side.
class PollOp final : public Op {
public:
    PollOp(Handler handler, void* owner_) noexcept : Op(Verb::poll, handler, owner_) {}
    std::uint32_t events = 0;
};

/// What is asked of a regular file.
struct FileRequest {
    enum class Action : std::uint8_t {
        open,       ///< `path` with `flags` and `mode` as of open(2), close-on-exec; result: a descriptor
        read,       ///< into `bytes` from `offset` on; result: bytes, 0 behind the end; may be short
        write,      ///< `bytes` at `offset`, or at the end with O_APPEND; result: bytes; may be short
        sync,       ///< until the disk has it; fsync(2)
        sync_data,  ///< the same without times and the like; fdatasync(2)
        measure,    ///< sets `size`
        close,      ///< `fd` is closed also when it fails, unless it was cancelled; close(2)
    };

    Action action = Action::read;
    int flags = 0;
    mode_t mode = 0;
    const char* path = nullptr;  ///< must stay valid while in flight, as `bytes`
    iovec bytes = {};
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
};

/// Slow disks hold up nobody else. Once a disk has begun, a cancellation changes nothing.
class FileOp final : public Op, public FileRequest {
public:
    FileOp(Handler handler, void* owner_) noexcept : Op(Verb::file, handler, owner_) {}
    struct statx status = {};  ///< the backend's
};

/// What a completion of `op` with `result` does to the number of open descriptors: 1, -1 or 0.
[[nodiscard]] inline int change_of_descriptors(const Op& op, std::int32_t result) noexcept {
    if (op.verb() == Verb::accept) return result >= 0 ? 1 : 0;
    if (op.verb() != Verb::file) return 0;
    switch (static_cast<const FileOp&>(op).action) {
    case FileRequest::Action::open: return result >= 0 ? 1 : 0;
    case FileRequest::Action::close: return result == -ECANCELED || result == -EBADF ? 0 : -1;
    default: return 0;
    }
}

}  // namespace lariat::io
