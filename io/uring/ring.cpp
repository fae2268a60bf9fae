// SPDX-License-Identifier: MIT
#include <lariat/io/uring/ring.hpp>

#include <lariat/io/base/assert.hpp>
#include <lariat/io/uring/compat.hpp>

#include <atomic>
#include <cerrno>
#include <unistd.h>

namespace lariat::io::uring {
namespace {

// Rings of the process. Counted for the thread sanitizer's sake: liburing maps and unmaps by raw system calls, which it
// does not see, so a ring's memory that was another thread's ring before would look like a race without this order.
std::atomic<int> rings{0};

}  // namespace

int Ring::set_up(unsigned submission_entries, unsigned completion_entries) noexcept {
    io_uring_params parameters = {};
    // SUBMIT_ALL: one refused entry must not keep the later ones from being submitted. A large completion queue: with
    // multishot requests, completions are not bounded by submissions.
    parameters.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG
                       | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE | IORING_SETUP_R_DISABLED;
    parameters.cq_entries = completion_entries;
    const int result = io_uring_queue_init_params(submission_entries, &ring_, &parameters);
    if (result < 0) return result;
    set_up_ = true;
    rings.fetch_add(1, std::memory_order_acq_rel);
    ring_.features = parameters.features;
    io_uring_ring_dontfork(&ring_);  // a child must not touch the queues it would share
    return 0;
}

int Ring::probe_enter() noexcept {
    const int result = io_uring_enter(static_cast<unsigned>(ring_.ring_fd), 0, 0, 0, nullptr);
    return result == -EBADFD ? 0 : result;  // what a ring that is still disabled answers to those who may enter
}

Ring::~Ring() {
    if (!set_up_) return;
    // A registered descriptor holds a reference of its own: closed without this, the ring would live on. It belongs to
    // the thread; when that thread has ended, so has the registration.
    if (registered_ && owner_thread_ == gettid()) io_uring_unregister_ring_fd(&ring_);
    rings.fetch_sub(1, std::memory_order_acq_rel);
    io_uring_queue_exit(&ring_);
}

void Ring::start() noexcept {
    started_ = true;
    owner_thread_ = gettid();
    // By number: liburing 2.3 declares io_uring_enable_rings() but does not export it.
    const int enabled =
        io_uring_register(static_cast<unsigned>(ring_.ring_fd), IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
    LARIAT_CHECK(enabled >= 0, "the kernel refused to enable a ring it had made");
    registered_ = io_uring_register_ring_fd(&ring_) == 1;  // saves the descriptor look-up of each enter
}

// Makes prepared entries visible to the kernel. What io_uring_submit() does first, without its system call: enter()
// passes flags that liburing 2.3 cannot.
unsigned Ring::publish() noexcept {
    io_uring_sq& queue = ring_.sq;
    if (queue.sqe_head != queue.sqe_tail) {
        queue.sqe_head = queue.sqe_tail;
        __atomic_store_n(queue.ktail, queue.sqe_tail, __ATOMIC_RELEASE);
    }
    return queue.sqe_tail - __atomic_load_n(queue.khead, __ATOMIC_ACQUIRE);
}

int Ring::submit() noexcept {
    if (!started_) start();
    const unsigned flags = registered_ ? IORING_ENTER_REGISTERED_RING : 0U;
    return io_uring_enter(static_cast<unsigned>(ring_.enter_ring_fd), publish(), 0, flags, nullptr);
}

int Ring::enter(bool wait, TimePoint deadline) noexcept {
    if (!started_) start();
    unsigned flags = IORING_ENTER_GETEVENTS;
    if (registered_) flags |= IORING_ENTER_REGISTERED_RING;
    const unsigned to_submit = publish();
    const auto fd = static_cast<unsigned>(ring_.enter_ring_fd);
    if (!wait) return io_uring_enter(fd, to_submit, 0, flags, nullptr);

    if (ring_.features & feat_no_iowait) flags |= enter_no_iowait;
    if (deadline == never) return io_uring_enter(fd, to_submit, 1, flags, nullptr);

    std::int64_t nanoseconds = deadline.time_since_epoch().count();
    if (ring_.features & feat_min_timeout) {
        flags |= enter_abs_timer;
    } else {
        timespec now = {};
        clock_gettime(CLOCK_MONOTONIC, &now);
        nanoseconds -= static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
    }
    if (nanoseconds < 0) nanoseconds = 0;
    __kernel_timespec timeout = {};
    timeout.tv_sec = nanoseconds / 1'000'000'000;
    timeout.tv_nsec = nanoseconds % 1'000'000'000;
    io_uring_getevents_arg argument = {};
    argument.ts = reinterpret_cast<std::uint64_t>(&timeout);
    return io_uring_enter2(fd, to_submit, 1, flags | IORING_ENTER_EXT_ARG, reinterpret_cast<sigset_t*>(&argument),
                           sizeof argument);
}

}  // namespace lariat::io::uring
