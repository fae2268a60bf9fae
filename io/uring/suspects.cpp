// SPDX-License-Identifier: MIT
// The receives that may have missed a reset.
//
// A multishot receive is woken by edges. When a reset arrives while data are still unread, both make one edge: the
// kernel delivers the data, believes the socket empty and waits for an edge that never comes (seen on Linux 6.18; an
// end of stream is not missed, the kernel reports it as more to read). So a receive whose last data emptied the socket
// is suspected, and a moment later one poll(2) asks about all suspects. Those in error are cancelled and armed again,
// which looks before it waits. A connection costs one entry of that list per interval in which it received; an idle one
// nothing.
#include <lariat/io/base/assert.hpp>
#include <lariat/io/uring/uring_backend.hpp>

namespace lariat::io {

void UringBackend::suspect(Op& op) noexcept {
    if (index_of(op) != 0) return;
    suspects_.push_back(&op);
    index_of(op) = static_cast<std::uint32_t>(suspects_.size());
}

void UringBackend::clear(Op& op) noexcept {
    const std::uint32_t index = index_of(op);
    if (index == 0) return;
    Op* last = suspects_.back();
    LARIAT_ASSERT(suspects_[index - 1] == &op, "a suspect stands where its index says");
    suspects_[index - 1] = last;
    index_of(*last) = index;
    suspects_.pop_back();
    index_of(op) = 0;
}

void UringBackend::review_suspects() noexcept {
    poll_list_.clear();
    for (const Op* op : suspects_) poll_list_.push_back({op->fd, 0, 0});  // errors are reported unasked
    if (::poll(poll_list_.data(), poll_list_.size(), 0) < 0) return;      // interrupted: the next review asks again
    for (std::size_t i = 0; i < suspects_.size(); ++i) {
        Op& op = *suspects_[i];
        index_of(op) = 0;
        if (!(poll_list_[i].revents & (POLLERR | POLLHUP))) continue;
        if (state_of(op) == OpState::in_kernel && slot_of(op) == nullptr) issue_or_queue(make_cancel(op));
    }
    suspects_.clear();
}

}  // namespace lariat::io
