// SPDX-License-Identifier: MIT
// UringBackend: operations as io_uring requests. One enter per turn submits everything and collects everything;
// completions are copied out first and run later, so that a handler may submit and cancel freely.
//
// Rules it keeps: an operation's memory is the kernel's until its last completion has been reaped; a cancel is queued
// like any operation and retried until its target has ended; a full queue delays and never refuses; a multishot request
// that ends by itself is armed again.
#pragma once

#include <lariat/io/kernel_backend.hpp>
#include <lariat/io/uring/provided_buffers.hpp>
#include <lariat/io/uring/ring.hpp>

#include <memory>
#include <poll.h>
#include <string>
#include <vector>

namespace lariat::io {

class UringBackend final : public KernelBackend {
public:
    /// Null when io_uring cannot be used here; `why` then says so in one line. Moves bytes through a small ring first,
    /// which takes a fraction of a millisecond.
    static std::unique_ptr<UringBackend> create(const BackendOptions& options, std::string& why);
    ~UringBackend() override;

    [[nodiscard]] std::string_view name() const noexcept override { return "uring"; }
    void submit(Op& op) noexcept override;
    void cancel(Op& op) noexcept override;
    void wait(TimePoint deadline) noexcept override;
    std::size_t dispatch(std::size_t budget) noexcept override;
    [[nodiscard]] bool has_completions() const noexcept override { return next_ != reaped_.size(); }
    [[nodiscard]] Ledger ledger() const noexcept override;

private:
    /// A completion queue entry, copied.
    struct Reaped {
        Op* op;
        std::int32_t result;
        std::uint32_t flags;
    };
    /// A cancellation under way. Outlives its target, which it then no longer names.
    struct CancelRequest {
        Op* op = nullptr;
        CancelRequest* next = nullptr;
        unsigned attempts = 0;
    };

    explicit UringBackend(const BackendOptions& options);
    int set_up(const BackendOptions& options, std::string& why);
    static std::string self_test();

    io_uring_sqe* entry() noexcept;
    bool arm(Op& op) noexcept;
    void arm_or_queue(Op& op) noexcept;
    bool issue(CancelRequest& request) noexcept;
    void issue_or_queue(CancelRequest& request) noexcept;
    void arm_wake() noexcept;
    void flush_queued() noexcept;
    void reap() noexcept;
    void reaped_cancel(CancelRequest& request, std::int32_t result) noexcept;
    void finish(Op& op, std::int32_t result) noexcept;
    void dispatch_one(const Reaped& reaped) noexcept;
    void dispatch_accept(Op& op, const Reaped& reaped) noexcept;
    void dispatch_file(FileOp& op, const Reaped& reaped) noexcept;
    void dispatch_receive(Op& op, const Reaped& reaped) noexcept;
    void receive_without_ring(Op& op) noexcept;
    void dispatch_receive_from(ReceiveFromOp& op, const Reaped& reaped) noexcept;
    void receive_from_without_ring(ReceiveFromOp& op) noexcept;
    std::int32_t take_datagram(ReceiveFromOp& op, Buffer& buffer) noexcept;
    CancelRequest& make_cancel(Op& op) noexcept;

    void suspect(Op& op) noexcept;
    void clear(Op& op) noexcept;
    void arm_review() noexcept;
    void review_suspects() noexcept;

    uring::Ring ring_;
    uring::ProvidedBuffers provided_{0};
    uring::ProvidedBuffers provided_for_datagrams_{1};  // set up for the first ReceiveFromOp
    msghdr datagram_layout_ = {};                       // of its requests
    std::vector<Reaped> reaped_;                        // a FIFO: next_ is the oldest not yet dispatched
    std::size_t next_ = 0;
    Op* queued_first_ = nullptr;  // operations that found no place
    Op** queued_last_ = &queued_first_;
    CancelRequest* cancels_queued_ = nullptr;
    CancelRequest* cancels_free_ = nullptr;
    std::vector<std::unique_ptr<CancelRequest>> cancels_;
    std::vector<Op*> suspects_;  // receives that may have missed a reset; see suspects.cpp
    std::vector<pollfd> poll_list_;
    __kernel_timespec review_after_ = {};
    std::size_t operations_ = 0;
    bool wake_armed_ = false;
    bool review_armed_ = false;
};

}  // namespace lariat::io
