// SPDX-License-Identifier: MIT
// Submission, cancellation and waiting; uring_dispatch.cpp makes completions of what the kernel answered.
#include <lariat/io/uring/uring_backend.hpp>

#include <lariat/io/base/error.hpp>
#include <lariat/io/uring/compat.hpp>
#include <lariat/io/uring/refusal.hpp>

#include <cerrno>
#include <fcntl.h>

namespace lariat::io {
namespace {

// user_data of our requests: an Op's address, a CancelRequest's with the lowest bit set, or one of the tags.
constexpr std::uint64_t wake_tag = 2;
constexpr std::uint64_t review_tag = 4;
constexpr std::uint64_t cancel_bit = 1;

// How long a reset may hide behind data; see suspects.cpp.
constexpr Duration review_interval = std::chrono::milliseconds(100);

// In an Op's slot: its last completion has been reaped, the kernel knows nothing of it any more.
char reaped_mark;

std::uint8_t opcode_of(Verb verb) noexcept {
    switch (verb) {
    case Verb::accept: return IORING_OP_ACCEPT;
    case Verb::connect: return IORING_OP_CONNECT;
    case Verb::receive: return IORING_OP_RECV;
    case Verb::send: return IORING_OP_SENDMSG;
    case Verb::poll: return IORING_OP_POLL_ADD;
    case Verb::receive_from: return IORING_OP_RECVMSG;
    case Verb::file: break;
    }
    return IORING_OP_NOP;
}

void prepare_file(io_uring_sqe& sqe, FileOp& op) noexcept {
    const auto size = static_cast<unsigned>(op.bytes.iov_len);
    switch (op.action) {
    case FileOp::Action::open: io_uring_prep_openat(&sqe, AT_FDCWD, op.path, op.flags | O_CLOEXEC, op.mode); break;
    case FileOp::Action::read: io_uring_prep_read(&sqe, op.fd, op.bytes.iov_base, size, op.offset); break;
    case FileOp::Action::write: io_uring_prep_write(&sqe, op.fd, op.bytes.iov_base, size, op.offset); break;
    case FileOp::Action::sync: io_uring_prep_fsync(&sqe, op.fd, 0); break;
    case FileOp::Action::sync_data: io_uring_prep_fsync(&sqe, op.fd, IORING_FSYNC_DATASYNC); break;
    case FileOp::Action::measure: io_uring_prep_statx(&sqe, op.fd, "", AT_EMPTY_PATH, STATX_SIZE, &op.status); break;
    case FileOp::Action::close: io_uring_prep_close(&sqe, op.fd); break;
    }
}

}  // namespace

UringBackend::UringBackend(const BackendOptions& options) : KernelBackend(options) {
    datagram_layout_.msg_namelen = datagram_name_room;
}

int UringBackend::set_up(const BackendOptions& options, std::string& why) {
    int result = ring_.set_up(options.submission_entries(), options.completion_entries());
    if (result < 0) {
        why = uring::explain_refusal("io_uring_setup", -result);
        return result;
    }
    result = ring_.probe_enter();
    if (result < 0) {
        why = uring::explain_refusal("io_uring_enter", -result);
        return result;
    }
    result = provided_.set_up(ring_.raw(), *pool_);
    if (result < 0) why = uring::explain_refusal("io_uring_register", -result);
    return result;
}

UringBackend::~UringBackend() {
    LARIAT_CHECK(operations_ == 0, "a backend was destroyed while operations are in flight");
    provided_.tear_down();
    provided_for_datagrams_.tear_down();
}

Ledger UringBackend::ledger() const noexcept {
    const std::size_t taken = pool_->outstanding() + datagram_pool_->outstanding();
    return {operations_, descriptors_, taken - provided_.published() - provided_for_datagrams_.published()};
}

// Submission: a full queue holds only entries the kernel has not seen, so handing them over frees it. When even that is
// refused (the kernel wants completions reaped first), operations wait in a FIFO of ours.

io_uring_sqe* UringBackend::entry() noexcept {
    io_uring_sqe* sqe = ring_.entry();
    if (!sqe && ring_.is_started() && ring_.submit() > 0) sqe = ring_.entry();
    return sqe;
}

bool UringBackend::arm(Op& op) noexcept {
    io_uring_sqe* sqe = entry();
    if (!sqe) return false;
    switch (op.verb()) {
    case Verb::accept:
        io_uring_prep_multishot_accept(sqe, op.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        break;
    case Verb::connect: {
        auto& connect = static_cast<ConnectOp&>(op);
        io_uring_prep_connect(sqe, op.fd, connect.address.data(), connect.address.size());
        break;
    }
    case Verb::receive:
        io_uring_prep_recv_multishot(sqe, op.fd, nullptr, 0, 0);
        // Waiting first saves an attempt that nearly always finds nothing, and an empty buffer ring is then no error
        // before there are data.
        sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
        sqe->flags |= IOSQE_BUFFER_SELECT;
        sqe->buf_group = provided_.group();
        break;
    case Verb::receive_from:
        io_uring_prep_recvmsg_multishot(sqe, op.fd, &datagram_layout_, 0);
        sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
        sqe->flags |= IOSQE_BUFFER_SELECT;
        sqe->buf_group = provided_for_datagrams_.group();
        break;
    case Verb::send: {
        auto& send = static_cast<SendOp&>(op);
        send.header = {};
        send.header.msg_iov = send.parts;
        send.header.msg_iovlen = send.part_count;
        io_uring_prep_sendmsg(sqe, op.fd, &send.header, MSG_WAITALL | MSG_NOSIGNAL);
        sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;  // sends come here because the socket was full
        break;
    }
    case Verb::poll: io_uring_prep_poll_add(sqe, op.fd, static_cast<PollOp&>(op).events); break;
    case Verb::file: prepare_file(*sqe, static_cast<FileOp&>(op)); break;
    }
    sqe->user_data = reinterpret_cast<std::uint64_t>(&op);
    slot_of(op) = nullptr;
    set_state(op, OpState::in_kernel);
    ++statistics_.submissions;
    return true;
}

void UringBackend::arm_or_queue(Op& op) noexcept {
    if (!queued_first_ && arm(op)) return;
    set_state(op, OpState::queued);
    slot_of(op) = nullptr;
    next_of(op) = nullptr;
    *queued_last_ = &op;
    queued_last_ = &next_of(op);
    ++statistics_.queue_full;
}

void UringBackend::submit(Op& op) noexcept {
    LARIAT_CHECK(!op.in_flight(), "an operation was submitted twice");
    ++operations_;
    if (op.verb() == Verb::receive_from && !provided_for_datagrams_.is_set_up()) {
        if (const int error = provided_for_datagrams_.set_up(ring_.raw(), *datagram_pool_); error < 0) {
            set_state(op, OpState::in_kernel);
            return finish(op, error);
        }
    }
    arm_or_queue(op);
}

void UringBackend::flush_queued() noexcept {
    while (CancelRequest* request = cancels_queued_) {
        CancelRequest* next = request->next;
        if (!issue(*request)) break;
        cancels_queued_ = next;
    }
    while (Op* op = queued_first_) {
        Op* next = next_of(*op);
        if (state_of(*op) == OpState::cancelling) {
            finish(*op, -ECANCELED);
        } else if (!arm(*op)) {
            break;
        }
        queued_first_ = next;
        if (!next) queued_last_ = &queued_first_;
    }
}

void UringBackend::finish(Op& op, std::int32_t result) noexcept {
    slot_of(op) = &reaped_mark;
    reaped_.push_back({&op, result, 0});
}

// Cancellation: each request is an object of its own, because its completion may come after its target is gone.

void UringBackend::cancel(Op& op) noexcept {
    const OpState before = state_of(op);
    if (before == OpState::idle || before == OpState::cancelling) return;
    set_state(op, OpState::cancelling);
    // Nothing to ask when it was never submitted, is over already, or is being cancelled on our own account.
    if (before == OpState::queued || slot_of(op) != nullptr) return;
    issue_or_queue(make_cancel(op));
}

UringBackend::CancelRequest& UringBackend::make_cancel(Op& op) noexcept {
    CancelRequest* request = cancels_free_;
    if (request) {
        cancels_free_ = request->next;
    } else {
        request = cancels_.emplace_back(std::make_unique<CancelRequest>()).get();
    }
    *request = {};
    request->op = &op;
    slot_of(op) = request;
    return *request;
}

bool UringBackend::issue(CancelRequest& request) noexcept {
    if (!request.op) {  // its target ended while it waited for a place
        request.next = cancels_free_;
        cancels_free_ = &request;
        return true;
    }
    io_uring_sqe* sqe = entry();
    if (!sqe) return false;
    // By address first. A multishot request can be missed that way while the kernel is running it (liburing issue
    // 1375), so a retry names the descriptor and the kind of request instead.
    if (request.attempts % 2 == 0 || request.op->verb() == Verb::file) {
        io_uring_prep_cancel64(sqe, reinterpret_cast<std::uint64_t>(request.op), 0);
    } else {
        io_uring_prep_cancel_fd(sqe, request.op->fd, uring::async_cancel_op);
        sqe->len = opcode_of(request.op->verb());
    }
    sqe->user_data = reinterpret_cast<std::uint64_t>(&request) | cancel_bit;
    return true;
}

void UringBackend::issue_or_queue(CancelRequest& request) noexcept {
    if (!cancels_queued_ && issue(request)) return;
    request.next = cancels_queued_;
    cancels_queued_ = &request;
    ++statistics_.queue_full;
}

void UringBackend::reaped_cancel(CancelRequest& request, std::int32_t result) noexcept {
    if (request.op && result < 0 && result != -EALREADY) {
        ++request.attempts;  // it lives and was not found: ask again, until it has ended
        issue_or_queue(request);
        return;
    }
    if (request.op) slot_of(*request.op) = nullptr;  // found; its own completion follows
    request.next = cancels_free_;
    cancels_free_ = &request;
}

void UringBackend::arm_wake() noexcept {
    if (wake_armed_) return;
    io_uring_sqe* sqe = entry();
    if (!sqe) return;  // the next turn tries again; a full queue does not sleep
    io_uring_prep_poll_multishot(sqe, wake_fd(), POLLIN);
    sqe->user_data = wake_tag;
    wake_armed_ = true;
}

void UringBackend::arm_review() noexcept {
    if (suspects_.empty() || review_armed_) return;
    io_uring_sqe* sqe = entry();
    if (!sqe) return;
    review_after_.tv_nsec = review_interval.count();
    io_uring_prep_timeout(sqe, &review_after_, 0, 0);
    sqe->user_data = review_tag;
    review_armed_ = true;
}

void UringBackend::wait(TimePoint deadline) noexcept {
    if (next_ == reaped_.size()) {
        reaped_.clear();
        next_ = 0;
    }
    provided_.refill();
    provided_for_datagrams_.refill();
    arm_wake();
    arm_review();
    flush_queued();

    bool sleep =
        deadline != TimePoint::min() && !has_completions() && !queued_first_ && !cancels_queued_ && wake_armed_;
    if (ring_.has_completions()) {
        reap();
        sleep = false;
    }
    if (!sleep && ring_.prepared() == 0 && ring_.is_started() && !ring_.has_kernel_work()) return;

    ++statistics_.waits;
    const int result = ring_.enter(sleep, deadline);
    // EINTR: a signal. ETIME: the deadline. EAGAIN and EBUSY: the kernel wants completions reaped first, as now
    // happens.
    if (result < 0 && result != -EINTR && result != -ETIME && result != -EAGAIN && result != -EBUSY) {
        LARIAT_CHECK(result != -EEXIST,
                     "a Reactor was run on a second thread; one thread must run it from first to last");
        LARIAT_CHECK(result != -EBADR, "the kernel lost io_uring completions for want of memory");
        LARIAT_PANIC(describe_errno("io_uring_enter", -result));
    }
    reap();
}

void UringBackend::reap() noexcept {
    const auto visit = [this](const io_uring_cqe& cqe) {
        if (cqe.user_data == wake_tag) {
            wake_armed_ = (cqe.flags & IORING_CQE_F_MORE) != 0;
            drain_wake();
            return;
        }
        if (cqe.user_data == review_tag) {
            review_armed_ = false;
            review_suspects();
            return;
        }
        if (cqe.user_data & cancel_bit) {
            reaped_cancel(*reinterpret_cast<CancelRequest*>(cqe.user_data & ~cancel_bit), cqe.res);
            return;
        }
        Op* op = reinterpret_cast<Op*>(cqe.user_data);
        if (!(cqe.flags & IORING_CQE_F_MORE)) {
            if (auto* request = static_cast<CancelRequest*>(slot_of(*op))) request->op = nullptr;
            slot_of(*op) = &reaped_mark;
        }
        reaped_.push_back({op, cqe.res, cqe.flags});
    };
    while (ring_.reap(visit) > 0) {
        if (!ring_.has_overflown()) break;
        ++statistics_.overflows;
        ring_.enter(false, TimePoint::min());  // moves what overflowed into the freed places
    }
}

}  // namespace lariat::io
