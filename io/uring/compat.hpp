// SPDX-License-Identifier: MIT
// io_uring constants that are newer than the liburing 2.3 headers, each with the kernel that adds it. They are used
// only where the running kernel says it knows them.
#pragma once

namespace lariat::io::uring {

/// Kernel 6.12: the wait's timeout is an absolute CLOCK_MONOTONIC time. Announced together with feat_min_timeout.
inline constexpr unsigned enter_abs_timer = 1U << 5;
/// Kernel 6.15: waiting in the ring does not count as I/O wait, so that an idle server does not look busy.
inline constexpr unsigned enter_no_iowait = 1U << 7;

/// Kernel 6.12.
inline constexpr unsigned feat_min_timeout = 1U << 15;
/// Kernel 6.15.
inline constexpr unsigned feat_no_iowait = 1U << 17;

/// Kernel 6.6: with IORING_ASYNC_CANCEL_FD, only requests of the opcode in sqe->len are cancelled.
inline constexpr unsigned async_cancel_op = 1U << 5;

}  // namespace lariat::io::uring
