// SPDX-License-Identifier: MIT
#include <lariat/io/lock_link.hpp>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <sys/types.h>
#include <unistd.h>

namespace lariat::io {
namespace {

/// The process that a link names, or a negative errno.
pid_t holder_of(const char* path) noexcept {
    char text[24];
    const ssize_t length = ::readlink(path, text, sizeof text);
    if (length < 0) return -errno;
    pid_t holder = 0;
    const auto [end, error] = std::from_chars(text, text + length, holder);
    // Numbers below 1 mean groups of processes to kill().
    if (error != std::errc() || end != text + length || holder < 1) return -EINVAL;
    return holder;
}

}  // namespace

int claim_lock_link(const char* path, bool& clean) noexcept {
    char self[24] = {};
    std::to_chars(self, self + sizeof self - 1, ::getpid());
    clean = true;
    for (;;) {
        if (::symlink(self, path) == 0) return 1;
        if (errno != EEXIST) return -errno;
        const pid_t holder = holder_of(path);
        if (holder == -ENOENT) continue;  // given back in between
        if (holder < 0) return holder;
        if (::kill(holder, 0) == 0 || errno != ESRCH) return 0;
        // Two processes may find the same dead holder; the slower one then removes the link of the faster one. The
        // scheme has no remedy, Twisted's neither.
        if (::unlink(path) == 0) {
            clean = false;
        } else if (errno != ENOENT) {
            return -errno;
        }
    }
}

int release_lock_link(const char* path) noexcept {
    const pid_t holder = holder_of(path);
    if (holder < 0) return holder;
    if (holder != ::getpid()) return -EPERM;
    return ::unlink(path) == 0 ? 0 : -errno;
}

}  // namespace lariat::io
