// SPDX-License-Identifier: MIT
// EpollBackend: the Backend for kernels and containers without io_uring, and the yardstick for the one with it.
//
// Level triggered, one registration per descriptor. Registrations follow the operations lazily, once before the kernel
// is asked, so an operation that is submitted and cancelled in one turn costs no system call. wait() only notes which
// descriptors are ready; dispatch() makes the transfer, one receive per report, into the pooled buffer that was
// used last.
//
// What differs from io_uring and is allowed by Backend's contract: connecting a UNIX stream socket to a full backlog
// fails with -EAGAIN (connect(2)) instead of waiting, because the kernel does not tell when there is room; and at most
// one receive, receive_from or accept and one connect or send may be in flight per descriptor (any number of polls).
#pragma once

#include <lariat/io/base/unique_fd.hpp>
#include <lariat/io/epoll/descriptor_table.hpp>
#include <lariat/io/epoll/file_workers.hpp>
#include <lariat/io/kernel_backend.hpp>

#include <cstdint>
#include <optional>
#include <sys/epoll.h>
#include <vector>

namespace lariat::io {

class EpollBackend final : public KernelBackend {
public:
    /// Errors: Error when the process is out of descriptors.
    explicit EpollBackend(const BackendOptions& options = {});
    ~EpollBackend() override;

    [[nodiscard]] std::string_view name() const noexcept override { return "epoll"; }

    void submit(Op& op) noexcept override;
    void cancel(Op& op) noexcept override;
    void wait(TimePoint deadline) noexcept override;
    std::size_t dispatch(std::size_t budget) noexcept override;
    [[nodiscard]] bool has_completions() const noexcept override {
        return finished_head_ || next_event_ < event_count_;
    }

    int open_socket(int domain, int type) noexcept override;
    int adopt(int fd) noexcept override;
    int try_accept(int fd) noexcept override;
    void close(int fd) noexcept override;

    [[nodiscard]] Ledger ledger() const noexcept override {
        return {operations_, descriptors_, pool_->outstanding() + datagram_pool_->outstanding()};
    }

private:
    // Registrations (epoll_backend.cpp).
    void own(int fd, bool adopted) noexcept;
    void mark_dirty(DescriptorEntry& entry, int fd) noexcept;
    void flush() noexcept;
    void update(int fd) noexcept;
    void start_connect(Op& op) noexcept;
    void fail_all(int fd, int error) noexcept;
    void unregister(DescriptorEntry& entry, int fd) noexcept;
    void rebuild() noexcept;
    int ask_kernel(TimePoint deadline) noexcept;
    void collect(int count) noexcept;

    // Operations (epoll_dispatch.cpp).
    void detach(Op& op) noexcept;
    void finish(Op& op, std::int32_t result) noexcept;
    void end(Op& op, std::int32_t result) noexcept;
    void run_finished() noexcept;
    std::size_t run_event(int fd, std::size_t budget) noexcept;
    std::size_t run_receive(int fd, Op& op) noexcept;
    std::size_t run_accept(int fd, Op& op, std::size_t budget) noexcept;
    std::size_t run_receive_from(int fd, ReceiveFromOp& op, std::size_t budget) noexcept;
    template <class Take>
    std::size_t run_several(int fd, Op& op, std::size_t budget, bool (*error_passes)(int), Take take) noexcept;
    std::size_t run_connect(int fd, ConnectOp& op) noexcept;
    std::size_t run_send(int fd, SendOp& op) noexcept;
    void take_polls(DescriptorEntry& entry, int fd) noexcept;
    void start_file(FileOp& op) noexcept;
    void finish_files() noexcept;

    UniqueFd epoll_;
    DescriptorTable table_;
    std::vector<int> dirty_;
    std::vector<epoll_event> events_;  // of the last wait; data.fd names the descriptor
    int event_count_ = 0;
    int next_event_ = 0;           // the first that dispatch() has not finished
    Op* finished_head_ = nullptr;  // operations whose result is known, linked through them, oldest first
    Op* finished_tail_ = nullptr;
    std::size_t operations_ = 0;
    std::size_t file_operations_ = 0;  // of them, those of the workers
    bool has_pwait2_ = true;
    std::vector<FileWorkers::Done> files_done_;
    std::optional<FileWorkers> workers_;  // made for the first operation; ends first, as it wakes the backend
};

}  // namespace lariat::io
