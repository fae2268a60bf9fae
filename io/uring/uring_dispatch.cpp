// SPDX-License-Identifier: MIT
// The second half of UringBackend: what becomes of completion queue entries.
#include <lariat/io/uring/uring_backend.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <poll.h>

namespace lariat::io {
namespace {

bool is_interruption(std::int32_t error) noexcept { return error == -EINTR || error == -EAGAIN; }

}  // namespace

std::size_t UringBackend::dispatch(std::size_t budget) noexcept {
    std::size_t count = 0;
    while (count < budget && next_ != reaped_.size()) {
        const Reaped reaped = reaped_[next_++];  // a copy: handlers may add to the vector
        dispatch_one(reaped);
        ++count;
    }
    return count;
}

void UringBackend::dispatch_one(const Reaped& reaped) noexcept {
    Op& op = *reaped.op;
    switch (op.verb()) {
    case Verb::receive: dispatch_receive(op, reaped); return;
    case Verb::receive_from: dispatch_receive_from(static_cast<ReceiveFromOp&>(op), reaped); return;
    case Verb::accept: dispatch_accept(op, reaped); return;
    case Verb::send:
        // The kernel gives up on a send it has retried often enough; the socket, or the memory for it, is merely full.
        if ((is_interruption(reaped.result) || reaped.result == -ENOBUFS) && !op.cancel_requested()) {
            arm_or_queue(op);
            return;
        }
        break;
    case Verb::file: dispatch_file(static_cast<FileOp&>(op), reaped); return;
    case Verb::connect:
    case Verb::poll: break;
    }
    std::int32_t result = reaped.result;
    if (op.verb() == Verb::poll && result > 0) {
        // The kernel adds POLLRDHUP unasked.
        const auto asked = static_cast<std::int32_t>(static_cast<PollOp&>(op).events | POLLERR | POLLHUP | POLLNVAL);
        if ((result & asked) != 0) result &= asked;
    }
    Completion completion{result, false, {}};
    --operations_;
    complete(op, completion);
}

// A multishot request that ended although nobody asked is armed again before its handler runs, so that the handler
// finds the operation in the state `more` says.

void UringBackend::dispatch_receive(Op& op, const Reaped& reaped) noexcept {
    const bool ended = !(reaped.flags & IORING_CQE_F_MORE);
    const bool again = ended && !op.cancel_requested();
    Completion completion{reaped.result, true, {}};
    if (reaped.flags & IORING_CQE_F_BUFFER) {
        completion.buffer = provided_.take(reaped.flags >> IORING_CQE_BUFFER_SHIFT,
                                           reaped.result > 0 ? static_cast<std::size_t>(reaped.result) : 0);
    }
    if (reaped.result > 0) {
        if (again) {
            ++statistics_.rearms;
            arm_or_queue(op);
        } else if (!(reaped.flags & IORING_CQE_F_SOCK_NONEMPTY)) {
            suspect(op);
        }
        completion.more = !ended || again;
    } else if (again && reaped.result == -ENOBUFS) {
        receive_without_ring(op);
        return;
    } else if (again && (is_interruption(reaped.result) || reaped.result == -ECANCELED)) {
        arm_or_queue(op);  // cancelled by review_suspects(): arming again finds what was missed
        return;
    } else {
        if (reaped.result == -ENOBUFS) completion.result = -ECANCELED;
        completion.more = false;
    }
    if (!completion.more) {
        clear(op);
        --operations_;
    }
    complete(op, completion);
}

// The ring is empty: users hold the buffers, or more arrived in one turn than was published. One receive into a buffer
// outside the ring keeps this connection moving whatever the others hold; then it waits for data again.
void UringBackend::receive_without_ring(Op& op) noexcept {
    provided_.exhausted();
    ++statistics_.pool_exhausted;
    Completion completion{0, true, {}};
    completion.result = static_cast<std::int32_t>(receive_now(op.fd, completion.buffer));
    if (completion.result > 0 || is_interruption(completion.result)) {
        arm_or_queue(op);
        if (completion.result < 0) return;
    } else {
        completion.more = false;
        clear(op);
        --operations_;
    }
    complete(op, completion);
}

void UringBackend::dispatch_receive_from(ReceiveFromOp& op, const Reaped& reaped) noexcept {
    const bool ended = !(reaped.flags & IORING_CQE_F_MORE);
    const bool again = ended && !op.cancel_requested();
    Completion completion{reaped.result, !ended || again, {}};
    op.from = {};
    op.truncated = false;
    if (reaped.flags & IORING_CQE_F_BUFFER) {
        completion.buffer = provided_for_datagrams_.take(
            reaped.flags >> IORING_CQE_BUFFER_SHIFT, reaped.result > 0 ? static_cast<std::size_t>(reaped.result) : 0);
    }
    if (reaped.result >= 0) {
        completion.result = take_datagram(op, completion.buffer);
    } else if (again && reaped.result == -ENOBUFS) {
        return receive_from_without_ring(op);
    } else if (again && is_interruption(reaped.result)) {
        return arm_or_queue(op);
    } else if (reaped.result == -ENOBUFS) {
        completion = {-ECANCELED, false, {}};
    } else if (!ReceiveFromOp::error_passes(-reaped.result)) {
        completion.more = false;
    }
    if (again && completion.more) {
        ++statistics_.rearms;
        arm_or_queue(op);
    }
    if (!completion.more) --operations_;
    complete(op, completion);
}

// As receive_without_ring().
void UringBackend::receive_from_without_ring(ReceiveFromOp& op) noexcept {
    provided_for_datagrams_.exhausted();
    ++statistics_.pool_exhausted;
    Completion completion{0, true, {}};
    completion.result = static_cast<std::int32_t>(receive_from_now(op, completion.buffer));
    if (is_interruption(completion.result)) return arm_or_queue(op);
    if (completion.result >= 0 || ReceiveFromOp::error_passes(-completion.result)) {
        arm_or_queue(op);
    } else {
        completion.more = false;
        --operations_;
    }
    complete(op, completion);
}

// Reads what the kernel has put in front of the datagram, io_uring_prep_recvmsg_multishot(3), and leaves the datagram.
std::int32_t UringBackend::take_datagram(ReceiveFromOp& op, Buffer& buffer) noexcept {
    static_assert(sizeof(io_uring_recvmsg_out) + datagram_name_room == datagram_header);
    LARIAT_CHECK(buffer.size() >= datagram_header, "the kernel wrote no header in front of a datagram");
    io_uring_recvmsg_out header;
    std::memcpy(&header, buffer.data(), sizeof header);
    const auto* name = reinterpret_cast<const sockaddr*>(buffer.data() + sizeof header);
    op.from = Address::from_sockaddr(name, std::min<socklen_t>(header.namelen, datagram_name_room));
    op.truncated = (header.flags & MSG_TRUNC) != 0;
    buffer.remove_prefix(datagram_header);
    const auto size = static_cast<std::int32_t>(buffer.size());
    if (size == 0) buffer.reset();
    return size;
}

void UringBackend::dispatch_file(FileOp& op, const Reaped& reaped) noexcept {
    if (is_interruption(reaped.result) && !op.cancel_requested() && op.action != FileOp::Action::close) {
        arm_or_queue(op);
        return;
    }
    if (op.action == FileOp::Action::measure) op.size = op.status.stx_size;
    count_file(op, reaped.result);
    Completion completion{reaped.result, false, {}};
    --operations_;
    complete(op, completion);
}

void UringBackend::dispatch_accept(Op& op, const Reaped& reaped) noexcept {
    const bool ended = !(reaped.flags & IORING_CQE_F_MORE);
    const bool accepted = reaped.result >= 0;
    const bool again = ended && !op.cancel_requested()
                       && (accepted || accept_error_passes(-reaped.result) || is_interruption(reaped.result));
    if (accepted) ++descriptors_;
    if (again) {
        ++statistics_.rearms;
        arm_or_queue(op);
        if (is_interruption(reaped.result)) return;
    }
    Completion completion{reaped.result, !ended || again, {}};
    if (!completion.more) --operations_;
    complete(op, completion);
}

}  // namespace lariat::io
