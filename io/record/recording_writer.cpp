// SPDX-License-Identifier: MIT
#include <lariat/io/record/recording_writer.hpp>

#include <lariat/io/base/error.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/io/record/recording.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace lariat::io {
namespace {

// How much of the file is mapped at a time: little for the many short recordings, at most what a page fault each 4 KiB
// makes cheap for long ones.
constexpr std::size_t smallest_window = std::size_t{64} << 10;
constexpr std::size_t largest_window = std::size_t{1} << 20;

// Events from here on are copied by pwrite(2): cheaper than the page faults they would cause in the map.
constexpr std::size_t large_event = 2048;

[[noreturn]] void refuse(const std::string& path, int error) {
    throw Error("cannot record to " + path + ": " + errno_text(error), error);
}

/// Whether what is there may be replaced: nothing, or a recording.
bool is_replaceable(int fd) noexcept {
    char start[recording_magic.size()] = {};
    const ssize_t got = ::pread(fd, start, sizeof start, 0);
    return got == 0 || (got == sizeof start && recording_magic == std::string_view(start, sizeof start));
}

}  // namespace

RecordingWriter::RecordingWriter(std::string path, Bytes header)
    : path_(std::move(path)), fd_(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    if (!fd_) refuse(path_, errno);
    struct stat status = {};
    if (::fstat(fd_.get(), &status) != 0) refuse(path_, errno);
    if (!S_ISREG(status.st_mode) || !is_replaceable(fd_.get()))
        throw UsageError("cannot record to " + path_ + ": it is there and no recording; name another file");
    if (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0)
        throw UsageError("cannot record to " + path_ + ": another process is recording there");
    if (::ftruncate(fd_.get(), 0) != 0) refuse(path_, errno);
    if (!make_room(header.size())) refuse(path_, errno);
    std::memcpy(window_, header.data(), header.size());
    position_ = header.size();
}

RecordingWriter::~RecordingWriter() { finish(); }

void RecordingWriter::write(Bytes event) noexcept {
    if (!fd_) return;
    const bool large = event.size() >= large_event;
    const std::size_t mapped = large ? 1 : event.size();
    if (position_ + mapped > window_start_ + window_size_ && !make_room(mapped)) return stop(errno);
    std::byte* const at = window_ + (position_ - window_start_);
    if (!large) {
        std::memcpy(at + 1, event.data() + 1, event.size() - 1);
    } else if (!write_at(position_ + 1, event.skip(1))) {
        return stop(errno);
    }
    // The event is there once its first byte is: a process that is killed meanwhile leaves it out, not half done.
    std::atomic_signal_fence(std::memory_order_release);
    *static_cast<volatile std::byte*>(at) = event[0];
    position_ += event.size();
}

bool RecordingWriter::write_at(std::uint64_t position, Bytes bytes) noexcept {
    while (!bytes.empty()) {
        const ssize_t done = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(position));
        if (done < 0 && errno != EINTR) return false;
        if (done <= 0) continue;
        position += static_cast<std::uint64_t>(done);
        bytes = bytes.skip(static_cast<std::size_t>(done));
    }
    return true;
}

// Maps the file from the page of the next event on. Its blocks are taken first: a map of a file that the disk has no
// room for kills with SIGBUS.
bool RecordingWriter::make_room(std::size_t size) noexcept {
    const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    const std::uint64_t start = position_ / page * page;
    const std::size_t wanted = std::clamp(window_size_ * 2, smallest_window, largest_window);
    const std::size_t needed = static_cast<std::size_t>((position_ - start + size + page - 1) / page * page);
    const std::size_t window_size = std::max(wanted, needed);
    if (const int error = ::posix_fallocate(fd_.get(), static_cast<off_t>(start), static_cast<off_t>(window_size))) {
        errno = error;
        return false;
    }
    void* const window =
        ::mmap(nullptr, window_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), static_cast<off_t>(start));
    if (window == MAP_FAILED) return false;
    if (window_) ::munmap(window_, window_size_);
    window_ = static_cast<std::byte*>(window);
    window_size_ = window_size;
    window_start_ = start;
    return true;
}

void RecordingWriter::stop(int error) noexcept {
    finish();
    try {
        log(LogLevel::error, "record",
            path_ + " ends after " + std::to_string(position_)
                + " bytes, and the program goes on unrecorded: " + errno_text(error));
    } catch (...) {
        // Out of memory: the file says it itself, it has no end.
    }
}

void RecordingWriter::finish() noexcept {
    if (!fd_) return;
    if (window_) ::munmap(std::exchange(window_, nullptr), window_size_);
    // The recording is complete without this; it only would have zeros behind it.
    while (::ftruncate(fd_.get(), static_cast<off_t>(position_)) != 0 && errno == EINTR) {}
    fd_.reset();
}

}  // namespace lariat::io
