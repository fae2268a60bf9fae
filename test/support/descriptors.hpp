// SPDX-License-Identifier: MIT
// Pipes, and FileDescriptors that do what a test tells them.
#pragma once

#include <lariat/io/base/function.hpp>
#include <lariat/io/base/unique_fd.hpp>
#include <lariat/runtime/file_descriptor.hpp>

#include <doctest/doctest.h>

#include <fcntl.h>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace lariat::test {

class Pipe {
public:
    Pipe() {
        int ends[2];
        REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
        read_.reset(ends[0]);
        write_.reset(ends[1]);
    }

    [[nodiscard]] int read_end() const { return read_.get(); }
    [[nodiscard]] int write_end() const { return write_.get(); }
    void put(std::string_view bytes) {
        REQUIRE(::write(write_.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    }
    /// What is in it now.
    std::string take() {
        char bytes[4096];
        const ssize_t got = ::read(read_.get(), bytes, sizeof bytes);
        return got > 0 ? std::string(bytes, static_cast<std::size_t>(got)) : std::string();
    }
    void close_read() { read_.reset(); }
    void close_write() { write_.reset(); }

private:
    UniqueFd read_;
    UniqueFd write_;
};

/// Watches `fd` and does what the test says.
class WatchedPipe : public FileDescriptor {
public:
    explicit WatchedPipe(int fd_) : fd(fd_) {}

    [[nodiscard]] int fileno() const override { return fd; }
    Failure do_read() override {
        ++reads;
        return on_read ? on_read() : Failure();
    }
    Failure do_write() override {
        ++writes;
        return on_write ? on_write() : Failure();
    }
    void connection_lost(const Failure& reason) override {
        lost.push_back(reason);
        if (on_lost) on_lost();
    }
    bool read_connection_lost(const Failure&) override {
        ++read_lost;
        return half_close;
    }
    [[nodiscard]] std::string log_prefix() const override { return "watched pipe"; }

    int fd;
    int reads = 0;
    int writes = 0;
    int read_lost = 0;
    bool half_close = false;
    std::vector<Failure> lost;
    Function<Failure()> on_read, on_write;
    Function<void()> on_lost;
};

}  // namespace lariat::test
