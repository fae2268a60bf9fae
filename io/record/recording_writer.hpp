// SPDX-License-Identifier: MIT
// RecordingWriter: the file of a recording while it is made. An event is part of the file when write() returns: it goes
// straight into the page cache, through a shared map or, when it is long, by a system call, so that nothing that
// happens to the process afterwards, not even SIGKILL, takes it away. (A machine that loses power does.)
//
// The file grows ahead of what is written; finish() cuts it to size, and one that was never finished has zeros behind
// its last event.
#pragma once

#include <lariat/io/base/bytes.hpp>
#include <lariat/io/base/unique_fd.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace lariat::io {

class RecordingWriter {
public:
    /// Makes `path` anew; an earlier recording is replaced. Errors: UsageError when `path` is a file of another kind or
    /// another process is recording there; Error when it cannot be written.
    RecordingWriter(std::string path, Bytes header);
    RecordingWriter(const RecordingWriter&) = delete;
    RecordingWriter& operator=(const RecordingWriter&) = delete;
    ~RecordingWriter();

    /// Adds an event, whose first byte is not zero. When the file cannot grow, the recording ends in front of it with
    /// one line in the log, and the program goes on.
    void write(Bytes event) noexcept;
    void finish() noexcept;

private:
    [[nodiscard]] bool write_at(std::uint64_t position, Bytes bytes) noexcept;
    [[nodiscard]] bool make_room(std::size_t size) noexcept;
    void stop(int error) noexcept;

    std::string path_;
    UniqueFd fd_;  // closed when the recording has ended
    std::byte* window_ = nullptr;
    std::size_t window_size_ = 0;
    std::uint64_t window_start_ = 0;  // in the file
    std::uint64_t position_ = 0;      // in the file
};

}  // namespace lariat::io
