// SPDX-License-Identifier: MIT
// FileWorkers: threads that do what is asked of files, where the kernel offers nothing but calls that block.
//
// Threads: push(), withdraw() and take_done() belong to the backend's thread. While an operation is queued or worked
// on, nobody else touches it.
#pragma once

#include <lariat/io/op.hpp>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace lariat::io {

class Backend;

/// The calls of `op`, made at once; the result is what FileRequest::Action says. From any thread.
[[nodiscard]] std::int32_t perform(FileOp& op) noexcept;

class FileWorkers {
public:
    struct Done {
        FileOp* op;
        std::int32_t result;
    };

    /// The backend is woken when something is done.
    explicit FileWorkers(Backend& backend) noexcept : backend_(backend) {}
    FileWorkers(const FileWorkers&) = delete;
    FileWorkers& operator=(const FileWorkers&) = delete;
    /// Nothing may be queued or worked on any more.
    ~FileWorkers();

    /// False when there is no thread and none can be started: `op` stays the caller's.
    [[nodiscard]] bool push(FileOp& op);
    /// True when no thread has begun with `op`: it stays undone.
    [[nodiscard]] bool withdraw(FileOp& op);
    /// Puts what is done since the last call behind `into`.
    void take_done(std::vector<Done>& into);

private:
    static constexpr std::size_t most_threads = 4;  // a disk serves a few at a time best

    void work();

    Backend& backend_;
    std::vector<std::thread> threads_;
    std::mutex mutex_;  // guards everything below
    std::condition_variable changed_;
    std::deque<FileOp*> queue_;
    std::vector<Done> done_;
    std::size_t idle_ = 0;
    bool stopping_ = false;
};

}  // namespace lariat::io
