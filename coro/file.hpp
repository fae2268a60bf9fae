// SPDX-License-Identifier: MIT
// File: a regular file whose disk holds up nobody but the coroutine that waits for it. On io_uring the kernel does the
// work, on epoll a few threads do, and on a simulated host it is a file of sim::Disk.
//
//     File log = co_await open_file("server.log", O_WRONLY | O_CREAT | O_APPEND);
//     co_await log.write_at(0, line);
//     co_await log.sync();
//
// Threads: the reactor's. Errors: FileError, with the text and the number of the system's.
#pragma once

#include <lariat/coro/file_operations.hpp>
#include <lariat/io/base/bytes.hpp>
#include <lariat/io/base/error.hpp>

#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <string>
#include <sys/types.h>
#include <utility>

namespace lariat {

/// What was asked of a file failed: "read server.log: Input/output error". os_error() is the errno number, ENOENT for
/// one that is not there.
class FileError : public Error {
public:
    using Error::Error;
};

/// An open file. There is no position: every transfer says where, and any number may be under way at once.
///
/// Lifetime: must stay where it is, and live, while something is awaited of it. The destructor closes, which may block
/// where closing does (network file systems), and loses the error that close() would report.
/// Cancellation: of what a disk has begun the answer is waited for. It is delivered if it is the whole result, also
/// when a deadline or a cancellation came before it; otherwise the await throws, and some of the bytes may have been
/// transferred.
class File {
public:
    File() noexcept = default;
    File(File&& other) noexcept;
    File& operator=(File&& other) noexcept;
    ~File() { close_now(); }

    [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
    explicit operator bool() const noexcept { return is_open(); }
    /// As it was given to open_file().
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] int fd() const noexcept { return fd_; }

    /// Fills `into`, which must stay valid until the await ends, from `offset` on; gives the number of bytes, fewer
    /// only where the file ends.
    [[nodiscard]] detail::ReadFileAt read_at(std::uint64_t offset, MutableBytes into) noexcept {
        return detail::ReadFileAt(*this, offset, into);
    }
    /// The same into memory of its own.
    [[nodiscard]] detail::ReadFileBuffer read_at(std::uint64_t offset, std::size_t size) {
        return detail::ReadFileBuffer(*this, offset, size);
    }
    /// Writes all of `bytes`, which must stay valid until the await ends, at `offset`; at the end with O_APPEND.
    [[nodiscard]] detail::WriteFileAt write_at(std::uint64_t offset, Bytes bytes) noexcept {
        return detail::WriteFileAt(*this, offset, bytes);
    }
    /// Waits until the disk has what was written before; fsync(2). After an error nobody knows what it has.
    [[nodiscard]] detail::SyncFile sync() noexcept { return {*this, io::FileRequest::Action::sync}; }
    /// The same without what reading the bytes does not need, as times; fdatasync(2).
    [[nodiscard]] detail::SyncFile sync_data() noexcept { return {*this, io::FileRequest::Action::sync_data}; }
    /// In bytes.
    [[nodiscard]] detail::MeasureFile size() noexcept { return detail::MeasureFile(*this); }
    /// Closes it and reports what close(2) does; it is closed then, unless the wait was cancelled in time.
    [[nodiscard]] detail::CloseFile close() noexcept { return detail::CloseFile(*this); }

private:
    friend detail::CloseFile;
    friend detail::FileOperation;
    friend detail::OpenFile;

    File(Reactor& reactor, int fd, std::string path) noexcept : reactor_(&reactor), path_(std::move(path)), fd_(fd) {}
    void close_now() noexcept;

    Reactor* reactor_ = nullptr;
    std::string path_;
    std::size_t under_way_ = 0;
    int fd_ = -1;
};

/// Opens the file of that path, with `flags` and `mode` as of open(2); always close-on-exec.
///
/// Cancellation: a file that was opened first is delivered. Errors: FileError.
[[nodiscard]] inline detail::OpenFile open_file(std::string path, int flags = O_RDONLY, mode_t mode = 0666) noexcept {
    return detail::OpenFile(std::move(path), flags, mode);
}

}  // namespace lariat
