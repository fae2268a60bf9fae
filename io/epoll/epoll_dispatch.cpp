// SPDX-License-Identifier: MIT
// The second half of EpollBackend: transfers and completions. Handlers may submit, cancel, open and close, so entries
// of the table are looked up anew after each handler.
#include <lariat/io/base/assert.hpp>
#include <lariat/io/epoll/epoll_backend.hpp>

#include <cerrno>
#include <cstdint>
#include <poll.h>
#include <sys/socket.h>

namespace lariat::io {
namespace {

// Connections or datagrams taken per report of a socket: as many as io_uring takes before it lets others run
// (MULTISHOT_MAX_RETRY in the kernel's io_uring/net.c).
constexpr int multishot_batch = 32;

// Op::slot_ holds a number: twice the bytes sent so far while a send is in flight, and 2 * result + 1 for an operation
// that waits for its handler in the list of the finished ones.
static_assert(sizeof(void*) == 8, "results are packed into pointers");

void* pack_progress(std::size_t sent) noexcept { return reinterpret_cast<void*>(sent << 1); }
std::size_t unpack_progress(void* slot) noexcept { return reinterpret_cast<std::uintptr_t>(slot) >> 1; }
void* pack_result(std::int32_t result) noexcept {
    return reinterpret_cast<void*>((static_cast<std::intptr_t>(result) * 2) | 1);
}
std::int32_t unpack_result(void* slot) noexcept {
    return static_cast<std::int32_t>(reinterpret_cast<std::intptr_t>(slot) >> 1);
}
bool is_result(void* slot) noexcept { return (reinterpret_cast<std::uintptr_t>(slot) & 1) != 0; }

std::uint8_t direction_of(const Op& op) noexcept {
    switch (op.verb()) {
    case Verb::accept:
    case Verb::receive:
    case Verb::receive_from: return DescriptorEntry::reading;
    case Verb::connect:
    case Verb::send: return DescriptorEntry::writing;
    case Verb::poll:
    case Verb::file: break;
    }
    return DescriptorEntry::polling;
}

std::uint8_t without(std::uint8_t bits, std::uint8_t bit) noexcept { return static_cast<std::uint8_t>(bits & ~bit); }

}  // namespace

void EpollBackend::cancel(Op& op) noexcept {
    if (!op.in_flight() || op.cancel_requested()) return;
    set_state(op, OpState::cancelling);
    if (is_result(slot_of(op))) return;  // what it achieved came first
    if (op.verb() == Verb::file) {
        if (!workers_->withdraw(static_cast<FileOp&>(op))) return;
        --file_operations_;
        return finish(op, -ECANCELED);
    }
    DescriptorEntry& entry = table_[op.fd];
    if ((entry.pending & direction_of(op)) != 0) {
        // The kernel has something for it: dispatch() delivers that and then ends the operation.
        if (op.verb() != Verb::poll) return;
        take_polls(entry, op.fd);
        if (is_result(slot_of(op))) return;
    }
    const std::size_t sent = unpack_progress(slot_of(op));
    detach(op);
    if (!entry.owned && entry.idle() && entry.armed != DescriptorEntry::disarmed) unregister(entry, op.fd);
    finish(op, sent > 0 ? static_cast<std::int32_t>(sent) : -ECANCELED);
}

std::size_t EpollBackend::dispatch(std::size_t budget) noexcept {
    std::size_t done = 0;
    while (done < budget) {
        if (finished_head_) {
            run_finished();
            ++done;
        } else if (next_event_ < event_count_) {
            const int fd = events_[static_cast<std::size_t>(next_event_)].data.fd;
            done += run_event(fd, budget - done);
            if (table_[fd].pending == 0) ++next_event_;
        } else {
            break;
        }
    }
    return done;
}

// One direction of one reported descriptor; its bit in `pending` is clear before a handler can look.
std::size_t EpollBackend::run_event(int fd, std::size_t budget) noexcept {
    DescriptorEntry& entry = table_[fd];
    if ((entry.pending & DescriptorEntry::reading) != 0) {
        entry.pending = without(entry.pending, DescriptorEntry::reading);
        Op* op = entry.reader;
        if (!op) return 0;
        if (op->verb() == Verb::receive) return run_receive(fd, *op);
        if (op->verb() == Verb::accept) return run_accept(fd, *op, budget);
        return run_receive_from(fd, static_cast<ReceiveFromOp&>(*op), budget);
    }
    if ((entry.pending & DescriptorEntry::writing) != 0) {
        entry.pending = without(entry.pending, DescriptorEntry::writing);
        Op* op = entry.writer;
        if (!op) return 0;
        if (op->verb() == Verb::send) return run_send(fd, static_cast<SendOp&>(*op));
        return run_connect(fd, static_cast<ConnectOp&>(*op));
    }
    take_polls(entry, fd);
    return 0;
}

std::size_t EpollBackend::run_receive(int fd, Op& op) noexcept {
    Completion completion{0, false, {}};
    const std::ptrdiff_t got = receive_now(fd, completion.buffer);
    if (got > 0) {
        completion.result = static_cast<std::int32_t>(got);
        completion.more = true;
        if (op.cancel_requested()) {
            detach(op);
            finish(op, -ECANCELED);
        }
        complete(op, completion);
        return 1;
    }
    if (got == -EAGAIN) {
        if (!op.cancel_requested()) return 0;
        end(op, -ECANCELED);
        return 1;
    }
    end(op, static_cast<std::int32_t>(got));
    return 1;
}

std::size_t EpollBackend::run_accept(int fd, Op& op, std::size_t budget) noexcept {
    return run_several(fd, op, budget, accept_error_passes, [&](Buffer&) { return try_accept(fd); });
}

std::size_t EpollBackend::run_receive_from(int fd, ReceiveFromOp& op, std::size_t budget) noexcept {
    return run_several(fd, op, budget, ReceiveFromOp::error_passes, [&](Buffer& into) {
        const auto result = static_cast<int>(receive_from_now(op, into));
        // What IP_RECVERR has put beside the datagrams would be reported for ever.
        if (result == -EAGAIN && (table_[fd].happened & EPOLLERR) != 0) drop_error_queue(fd);
        return result;
    });
}

// Completes `op` with what `take` gives, until there is nothing left.
template <class Take>
std::size_t EpollBackend::run_several(int fd, Op& op, std::size_t budget, bool (*error_passes)(int),
                                      Take take) noexcept {
    const bool ending = op.cancel_requested();
    std::size_t done = 0;
    for (int attempt = 0; attempt < multishot_batch && done < budget; ++attempt) {
        Completion completion{0, true, {}};
        completion.result = take(completion.buffer);
        if (completion.result == -EAGAIN) break;
        ++done;
        if (completion.result < 0 && !error_passes(-completion.result)) {
            end(op, completion.result);
            return done;
        }
        complete(op, completion);
        if (table_[fd].reader != &op) return done;  // cancelled by its handler
    }
    if (ending) {
        detach(op);
        finish(op, -ECANCELED);
    }
    return done;
}

// Asked again, connect(2) gives the result and moves the socket to the state that goes with it; SO_ERROR would give the
// error but leave the socket connecting, so that the next connect() of a connected one would succeed.
std::size_t EpollBackend::run_connect(int fd, ConnectOp& op) noexcept {
    const int result = ::connect(fd, op.address.data(), op.address.size());
    const int error = result == 0 || errno == EISCONN ? 0 : errno;
    if (error == EALREADY || error == EINPROGRESS || error == EINTR) {
        if (!op.cancel_requested()) return 0;
        end(op, -ECANCELED);
    } else {
        end(op, -error);
    }
    return 1;
}

std::size_t EpollBackend::run_send(int fd, SendOp& op) noexcept {
    std::size_t sent = unpack_progress(slot_of(op));
    std::size_t total = 0;
    for (std::uint32_t i = 0; i < op.part_count; ++i) total += op.parts[i].iov_len;

    if (sent < total) {
        std::uint32_t first = 0;
        std::size_t skip = sent;
        while (skip >= op.parts[first].iov_len) skip -= op.parts[first++].iov_len;
        const iovec whole = op.parts[first];
        op.parts[first] = {static_cast<char*>(whole.iov_base) + skip, whole.iov_len - skip};
        op.header = {};
        op.header.msg_iov = &op.parts[first];
        op.header.msg_iovlen = op.part_count - first;
        ssize_t result;
        do {
            result = ::sendmsg(fd, &op.header, MSG_NOSIGNAL | MSG_DONTWAIT);
        } while (result < 0 && errno == EINTR);
        const int error = errno;
        op.parts[first] = whole;
        if (result < 0 && error != EAGAIN && error != ENOBUFS) {
            end(op, sent > 0 ? static_cast<std::int32_t>(sent) : -error);
            return 1;
        }
        if (result > 0) sent += static_cast<std::size_t>(result);
    }
    if (sent == total || op.cancel_requested()) {
        end(op, sent > 0 || total == 0 ? static_cast<std::int32_t>(sent) : -ECANCELED);
        return 1;
    }
    slot_of(op) = pack_progress(sent);
    return 0;
}

// Decides every poll of `fd` that the last report answers, before any handler can submit another one.
void EpollBackend::take_polls(DescriptorEntry& entry, int fd) noexcept {
    entry.pending = without(entry.pending, DescriptorEntry::polling);
    for (Op* op = entry.polls; op;) {
        Op* next = next_of(*op);
        const std::uint32_t events = static_cast<PollOp*>(op)->events | POLLERR | POLLHUP;
        if (const std::uint32_t happened = entry.happened & events & 0xffffu) {
            detach(*op);
            finish(*op, static_cast<std::int32_t>(happened));
        }
        op = next;
    }
    // Whoever waited on a descriptor that is not ours may close it in the handler.
    if (!entry.owned && entry.idle() && entry.armed != DescriptorEntry::disarmed) unregister(entry, fd);
}

// Takes the operation out of its descriptor's entry; it has no claim on events any more.
void EpollBackend::detach(Op& op) noexcept {
    DescriptorEntry& entry = table_[op.fd];
    if (entry.reader == &op) {
        entry.reader = nullptr;
    } else if (entry.writer == &op) {
        entry.writer = nullptr;
    } else {
        Op** link = &entry.polls;
        while (*link && *link != &op) link = &next_of(**link);
        if (*link) *link = next_of(op);
    }
    mark_dirty(entry, op.fd);
}

// The result is known; the handler runs in its turn.
void EpollBackend::finish(Op& op, std::int32_t result) noexcept {
    slot_of(op) = pack_result(result);
    next_of(op) = nullptr;
    if (finished_tail_) {
        next_of(*finished_tail_) = &op;
    } else {
        finished_head_ = &op;
    }
    finished_tail_ = &op;
}

void EpollBackend::run_finished() noexcept {
    Op& op = *finished_head_;
    finished_head_ = next_of(op);
    if (!finished_head_) finished_tail_ = nullptr;
    Completion completion{unpack_result(slot_of(op)), false, {}};
    if (op.verb() == Verb::file) count_file(static_cast<FileOp&>(op), completion.result);
    --operations_;
    complete(op, completion);
}

void EpollBackend::start_file(FileOp& op) noexcept {
    set_state(op, OpState::in_kernel);
    ++statistics_.submissions;
    if (!workers_) workers_.emplace(*this);
    if (!workers_->push(op)) return finish(op, -EAGAIN);
    ++file_operations_;
}

void EpollBackend::finish_files() noexcept {
    if (file_operations_ == 0) return;
    workers_->take_done(files_done_);
    file_operations_ -= files_done_.size();
    for (const FileWorkers::Done& done : files_done_) finish(*done.op, done.result);
    files_done_.clear();
}

void EpollBackend::end(Op& op, std::int32_t result) noexcept {
    detach(op);
    Completion completion{result, false, {}};
    --operations_;
    complete(op, completion);
}

}  // namespace lariat::io
