// SPDX-License-Identifier: MIT
// Ring: an io_uring instance of one thread, set up for a loop: SINGLE_ISSUER and DEFER_TASKRUN (kernel 6.1), so that
// completions are produced only inside enter() and nothing interrupts the thread.
//
// The ring is created disabled and belongs to the thread of the first enter(); a Reactor may thus be made on one thread
// and run on another.
#pragma once

#include <lariat/io/base/clock.hpp>

#include <liburing.h>

#include <cstdint>

namespace lariat::io::uring {

class Ring {
public:
    Ring() noexcept = default;
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;
    /// No request may be in flight that writes to memory about to be freed.
    ~Ring();

    /// Returns 0 or the negative errno of io_uring_setup(2): -ENOSYS, -EPERM, -ENOMEM, -EINVAL (kernel before 6.1).
    int set_up(unsigned submission_entries, unsigned completion_entries) noexcept;

    /// Whether the ring may be entered: a seccomp filter may allow io_uring_setup(2) and refuse io_uring_enter(2).
    /// Returns 0 or the negative errno. Before the first enter() only.
    int probe_enter() noexcept;

    /// A cleared submission entry, or null when the queue is full.
    io_uring_sqe* entry() noexcept { return io_uring_get_sqe(&ring_); }
    /// Entries prepared and not yet handed to the kernel.
    [[nodiscard]] unsigned prepared() const noexcept { return io_uring_sq_ready(&ring_); }

    /// Hands prepared entries to the kernel without running completions. Returns how many it took, or a negative errno.
    int submit() noexcept;
    /// Hands prepared entries over, runs the kernel's deferred work and, when `wait`, sleeps until a completion or
    /// `deadline`. Returns what io_uring_enter(2) does.
    int enter(bool wait, TimePoint deadline) noexcept;
    /// True when the kernel has work for an enter() that does not wait: deferred completions or an overflown queue.
    [[nodiscard]] bool has_kernel_work() const noexcept {
        return (__atomic_load_n(ring_.sq.kflags, __ATOMIC_RELAXED) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
    }
    [[nodiscard]] bool has_overflown() const noexcept { return io_uring_cq_has_overflow(&ring_); }
    [[nodiscard]] bool has_completions() const noexcept { return io_uring_cq_ready(&ring_) != 0; }

    /// Calls `visit(const io_uring_cqe&)` for each completion in the queue, then frees their places.
    template <class Visit>
    unsigned reap(Visit visit) {
        unsigned count = 0;
        unsigned head = 0;
        io_uring_cqe* cqe = nullptr;
        io_uring_for_each_cqe(&ring_, head, cqe) {
            visit(*cqe);
            ++count;
        }
        io_uring_cq_advance(&ring_, count);
        return count;
    }

    [[nodiscard]] bool is_started() const noexcept { return started_; }
    [[nodiscard]] io_uring* raw() noexcept { return &ring_; }

private:
    void start() noexcept;
    unsigned publish() noexcept;

    io_uring ring_ = {};
    int owner_thread_ = 0;  // gettid() of the thread that started it
    bool set_up_ = false;
    bool started_ = false;
    bool registered_ = false;
};

}  // namespace lariat::io::uring
