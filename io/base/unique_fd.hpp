// SPDX-License-Identifier: MIT
// UniqueFd: an open kernel descriptor that is closed with its owner.
#pragma once

#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace lariat {

/// Owns one descriptor. For descriptors of the process itself (event descriptors, pipes of tests); sockets belong to a
/// Backend and are closed through it.
class UniqueFd {
public:
    UniqueFd() noexcept = default;
    explicit UniqueFd(int fd) noexcept : fd_(fd) {}
    UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        if (this != &other) reset(std::exchange(other.fd_, -1));
        return *this;
    }
    ~UniqueFd() { reset(); }

    /// A duplicate of `fd`, close-on-exec; fcntl(2). Without a descriptor, and errno says why, when there is none.
    static UniqueFd duplicate_of(int fd) noexcept { return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

    [[nodiscard]] int get() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
    void reset(int fd = -1) noexcept {
        if (fd_ >= 0) ::close(fd_);
        fd_ = fd;
    }

private:
    int fd_ = -1;
};

}  // namespace lariat
