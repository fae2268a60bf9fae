// SPDX-License-Identifier: MIT
#include <lariat/io/kernel_backend.hpp>

#include <lariat/io/base/assert.hpp>
#include <lariat/io/base/error.hpp>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

namespace lariat::io {
namespace {

/// Repeats a system call that a signal interrupted; the result is negative errno on failure.
template <class Call>
auto uninterrupted(Call call) noexcept -> decltype(call()) {
    for (;;) {
        const auto result = call();
        if (result >= 0) return result;
        const int error = errno;
        if (error != EINTR) return -error;
    }
}

int outcome(int result) noexcept { return result < 0 ? -errno : result; }

msghdr header_of(std::span<const iovec> parts) noexcept {
    msghdr header{};
    header.msg_iov = const_cast<iovec*>(parts.data());
    header.msg_iovlen = std::min<std::size_t>(parts.size(), IOV_MAX);
    return header;
}

}  // namespace

KernelBackend::KernelBackend(const BackendOptions& options)
    : pool_(&BufferPool::create(options.receive_buffer_size(), options.receive_buffers())),
      datagram_pool_(&BufferPool::create(datagram_header + ReceiveFromOp::most_bytes, options.datagram_buffers())),
      wake_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (!wake_fd_) {
        const int error = errno;
        throw Error(describe_errno("eventfd", error), error);
    }
}

void KernelBackend::wake() noexcept {
    const int saved = errno;
    const std::uint64_t one = 1;
    // EAGAIN means that the counter is full: then a wake-up is pending already.
    while (::write(wake_fd_.get(), &one, sizeof one) < 0 && errno == EINTR) {}
    errno = saved;
}

void KernelBackend::drain_wake() noexcept {
    std::uint64_t count;
    while (::read(wake_fd_.get(), &count, sizeof count) < 0 && errno == EINTR) {}
}

int KernelBackend::open_socket(int domain, int type) noexcept {
    const int fd = outcome(::socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (fd >= 0) ++descriptors_;
    return fd;
}

int KernelBackend::bind(int fd, const Address& address) noexcept {
    return outcome(::bind(fd, address.data(), address.size()));
}

int KernelBackend::listen(int fd, int backlog) noexcept { return outcome(::listen(fd, backlog)); }

int KernelBackend::connect(int fd, const Address& to) noexcept {
    return uninterrupted([&] { return ::connect(fd, to.data(), to.size()); });
}

int KernelBackend::local_address(int fd, Address& address) noexcept {
    sockaddr_storage storage;
    socklen_t size = sizeof storage;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return -errno;
    address = Address::from_sockaddr(reinterpret_cast<sockaddr*>(&storage), size);
    return 0;
}

int KernelBackend::peer_address(int fd, Address& address) noexcept {
    sockaddr_storage storage;
    socklen_t size = sizeof storage;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return -errno;
    address = Address::from_sockaddr(reinterpret_cast<sockaddr*>(&storage), size);
    return 0;
}

int KernelBackend::set_option(int fd, int level, int name, const void* value, socklen_t size) noexcept {
    return outcome(::setsockopt(fd, level, name, value, size));
}

int KernelBackend::get_option(int fd, int level, int name, void* value, socklen_t size) noexcept {
    return outcome(::getsockopt(fd, level, name, value, &size));
}

int KernelBackend::shutdown(int fd, int how) noexcept { return outcome(::shutdown(fd, how)); }

void KernelBackend::close(int fd) noexcept {
    LARIAT_CHECK(descriptors_ > 0, "close() of a descriptor that this backend did not open, accept or adopt");
    --descriptors_;
    ::close(fd);  // never repeated: Linux has released the number even when close(2) says EINTR
}

int KernelBackend::adopt(int fd) noexcept {
    const int status = ::fcntl(fd, F_GETFL);
    if (status < 0 || ::fcntl(fd, F_SETFL, status | O_NONBLOCK) < 0) return -errno;
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) return -errno;
    ++descriptors_;
    return 0;
}

std::ptrdiff_t KernelBackend::try_send(int fd, std::span<const iovec> parts) noexcept {
    ++statistics_.sends;
    constexpr int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    ssize_t sent;
    if (parts.size() == 1) {
        sent = uninterrupted([&] { return ::send(fd, parts[0].iov_base, parts[0].iov_len, flags); });
    } else {
        const msghdr header = header_of(parts);
        sent = uninterrupted([&] { return ::sendmsg(fd, &header, flags); });
    }
    if (sent == -ENOBUFS) sent = -EAGAIN;  // the interface's queue is full, which passes like a full socket
    if (sent == -EAGAIN) ++statistics_.sends_refused;
    return sent;
}

std::ptrdiff_t KernelBackend::try_send_to(int fd, std::span<const iovec> parts, const Address& to) noexcept {
    ++statistics_.sends;
    msghdr header = header_of(parts);
    if (parts.size() > IOV_MAX) return -EMSGSIZE;
    if (to.family() != Address::Family::none) {
        header.msg_name = const_cast<sockaddr*>(to.data());
        header.msg_namelen = to.size();
    }
    const ssize_t sent = uninterrupted([&] { return ::sendmsg(fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT); });
    if (sent == -EAGAIN) ++statistics_.sends_refused;
    return sent;
}

int KernelBackend::try_accept(int fd) noexcept {
    const int accepted = uninterrupted([&] { return ::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); });
    if (accepted >= 0) ++descriptors_;
    return accepted;
}

bool KernelBackend::accept_error_passes(int error) noexcept {
    switch (error) {
    case ECONNABORTED:
    case EPERM:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET: return true;
    default: return false;
    }
}

void KernelBackend::count_file(const FileOp& op, std::int32_t result) noexcept {
    descriptors_ += static_cast<std::size_t>(change_of_descriptors(op, result));
}

TimePoint KernelBackend::now() noexcept {
    timespec time;
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return TimePoint(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

std::uint64_t KernelBackend::random() noexcept {
    if (random_left_ == 0) {
        const ssize_t got = uninterrupted([&] { return ::getrandom(random_.data(), sizeof random_, 0); });
        LARIAT_CHECK(got == sizeof random_, "getrandom(2) failed: there is no randomness to go on with");
        random_left_ = random_.size();
    }
    return random_[--random_left_];
}

std::ptrdiff_t KernelBackend::receive_now(int fd, Buffer& into) noexcept {
    Chunk* chunk = pool_->acquire();
    if (!chunk) {
        ++statistics_.pool_exhausted;
        chunk = &allocate_chunk(pool_->chunk_size());
    }
    const ssize_t got = uninterrupted([&] { return ::recv(fd, chunk->data, chunk->capacity, MSG_DONTWAIT); });
    Buffer buffer(*chunk, 0, got > 0 ? static_cast<std::size_t>(got) : 0);  // gives the chunk back when it stays here
    if (got > 0) into = std::move(buffer);
    return got;
}

void KernelBackend::drop_error_queue(int fd) noexcept {
    msghdr header{};
    while (uninterrupted([&] { return ::recvmsg(fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT); }) >= 0) {}
}

std::ptrdiff_t KernelBackend::receive_from_now(ReceiveFromOp& op, Buffer& into) noexcept {
    Chunk* chunk = datagram_pool_->acquire();
    if (!chunk) {
        ++statistics_.pool_exhausted;
        chunk = &allocate_chunk(datagram_pool_->chunk_size());
    }
    sockaddr_storage name;
    iovec part{chunk->data, ReceiveFromOp::most_bytes};
    msghdr header{};
    header.msg_name = &name;
    header.msg_namelen = sizeof name;
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    const ssize_t got = uninterrupted([&] { return ::recvmsg(op.fd, &header, MSG_DONTWAIT); });
    Buffer buffer(*chunk, 0, got > 0 ? static_cast<std::size_t>(got) : 0);
    op.from = {};
    op.truncated = false;
    if (got < 0) return got;
    op.from = Address::from_sockaddr(reinterpret_cast<sockaddr*>(&name), header.msg_namelen);
    op.truncated = (header.msg_flags & MSG_TRUNC) != 0;
    if (got > 0) into = std::move(buffer);
    return got;
}

}  // namespace lariat::io
