// SPDX-License-Identifier: MIT
// KernelBackend: what the backends on a real kernel share: the synchronous socket calls, time, randomness, the event
// descriptor that wakes the loop, and the pool of receive buffers.
#pragma once

#include <lariat/io/backend.hpp>
#include <lariat/io/base/unique_fd.hpp>
#include <lariat/io/buffer_pool.hpp>

#include <array>
#include <cstdint>

namespace lariat::io {

/// Sizes of a backend's queues and pool. The defaults are for programs; tests make everything tiny.
class BackendOptions {
public:
    BackendOptions& submission_entries(unsigned count) noexcept { return submission_entries_ = count, *this; }
    BackendOptions& completion_entries(unsigned count) noexcept { return completion_entries_ = count, *this; }
    BackendOptions& receive_buffers(unsigned limit) noexcept { return receive_buffers_ = limit, *this; }
    BackendOptions& receive_buffer_size(unsigned bytes) noexcept { return receive_buffer_size_ = bytes, *this; }
    BackendOptions& datagram_buffers(unsigned limit) noexcept { return datagram_buffers_ = limit, *this; }

    [[nodiscard]] unsigned submission_entries() const noexcept { return submission_entries_; }
    [[nodiscard]] unsigned completion_entries() const noexcept { return completion_entries_; }
    [[nodiscard]] unsigned receive_buffers() const noexcept { return receive_buffers_; }
    [[nodiscard]] unsigned receive_buffer_size() const noexcept { return receive_buffer_size_; }
    [[nodiscard]] unsigned datagram_buffers() const noexcept { return datagram_buffers_; }

private:
    unsigned submission_entries_ = 1024;
    unsigned completion_entries_ = 8192;
    unsigned receive_buffers_ = 256;            // a power of two; 4 MiB with the size below
    unsigned receive_buffer_size_ = 16 * 1024;  // one TLS record, one large message
    unsigned datagram_buffers_ = 64;            // a power of two; 4 MiB if every datagram were of the longest
};

class KernelBackend : public Backend {
public:
    /// Adds to an event descriptor; write(2) is all it does, and errno is kept, so signal handlers may call it.
    void wake() noexcept override;

    int open_socket(int domain, int type) noexcept override;
    int bind(int fd, const Address& address) noexcept override;
    int listen(int fd, int backlog) noexcept override;
    int connect(int fd, const Address& to) noexcept override;
    int local_address(int fd, Address& address) noexcept override;
    int peer_address(int fd, Address& address) noexcept override;
    int set_option(int fd, int level, int name, const void* value, socklen_t size) noexcept override;
    int get_option(int fd, int level, int name, void* value, socklen_t size) noexcept override;
    int shutdown(int fd, int how) noexcept override;
    void close(int fd) noexcept override;
    int adopt(int fd) noexcept override;
    std::ptrdiff_t try_send(int fd, std::span<const iovec> parts) noexcept override;
    std::ptrdiff_t try_send_to(int fd, std::span<const iovec> parts, const Address& to) noexcept override;
    int try_accept(int fd) noexcept override;
    [[nodiscard]] TimePoint now() noexcept override;
    [[nodiscard]] std::uint64_t random() noexcept override;

protected:
    explicit KernelBackend(const BackendOptions& options);

    /// True for errors of accept4(2) that concern the one connection that was waiting, not the listening socket: it
    /// went away, a firewall refused it, or its network failed (accept(2), "Error handling"). On every backend an
    /// AcceptOp reports them with more = true and goes on; any other error ends it.
    static bool accept_error_passes(int error) noexcept;

    /// Keeps count of the descriptors of files; `result` is what `op` ended with.
    void count_file(const FileOp& op, std::int32_t result) noexcept;

    /// Empties the event descriptor after a wake-up was seen.
    void drain_wake() noexcept;
    [[nodiscard]] int wake_fd() const noexcept { return wake_fd_.get(); }

    /// recv(2) into a chunk of the pool or, when none is left, of the heap. The buffer is empty unless the result is
    /// positive.
    std::ptrdiff_t receive_now(int fd, Buffer& into) noexcept;
    /// The same with recvmsg(2) and a buffer for datagrams; also says who sent it.
    std::ptrdiff_t receive_from_now(ReceiveFromOp& op, Buffer& into) noexcept;

    /// Drops what a socket with IP_RECVERR keeps beside its datagrams, ip(7): the errors themselves have been told.
    static void drop_error_queue(int fd) noexcept;

    /// What a ring puts in front of a datagram: io_uring_recvmsg_out and the sender's address.
    static constexpr std::size_t datagram_name_room = 112;
    static constexpr std::size_t datagram_header = 16 + datagram_name_room;

    BufferPoolPtr pool_;
    BufferPoolPtr datagram_pool_;
    std::size_t descriptors_ = 0;

private:
    UniqueFd wake_fd_;
    std::array<std::uint64_t, 32> random_;  // 256 bytes: what getrandom(2) gives without being interrupted
    std::size_t random_left_ = 0;
};

}  // namespace lariat::io
