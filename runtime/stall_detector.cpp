// SPDX-License-Identifier: MIT
#include <lariat/runtime/stall_detector.hpp>

#include <lariat/io/base/log.hpp>
#include <lariat/runtime/report.hpp>
#include <lariat/runtime/running_place.hpp>

#include <array>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <execinfo.h>
#include <mutex>
#include <pthread.h>
#include <string>
#include <thread>

namespace lariat {
namespace {

/// Where a thread is, as its signal handler finds it.
struct Snapshot {
    std::array<void*, 48> frames;
    int depth = 0;
    RunningPlace place;
    std::atomic<bool> taken{false};
};

constinit thread_local Snapshot* wanted = nullptr;  // of the thread that the handler interrupts
std::mutex handler_mutex;                           // guards the disposition of SIGURG

void take_snapshot(int) noexcept {
    const int saved_errno = errno;
    if (Snapshot* snapshot = wanted; snapshot && !snapshot->taken.load(std::memory_order_relaxed)) {
        snapshot->depth = backtrace(snapshot->frames.data(), static_cast<int>(snapshot->frames.size()));
        snapshot->place = running_place;
        snapshot->taken.store(true, std::memory_order_release);
    }
    errno = saved_errno;
}

/// True when SIGURG, which is ignored by default, calls take_snapshot().
bool install_handler() noexcept {
    const std::lock_guard lock(handler_mutex);
    struct sigaction present = {};
    if (sigaction(SIGURG, nullptr, &present) != 0) return false;
    if (present.sa_handler == take_snapshot) return true;
    if ((present.sa_flags & SA_SIGINFO) != 0 || present.sa_handler != SIG_DFL) return false;
    struct sigaction action = {};
    action.sa_handler = take_snapshot;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    return sigaction(SIGURG, &action, nullptr) == 0;
}

std::string describe(const Snapshot& snapshot) {
    std::string text;
    if (snapshot.place.where.line() != 0) {
        text.append(" by a task that went on at ").append(snapshot.place.where.file_name()).append(":");
        text.append(std::to_string(snapshot.place.where.line())).append(", in ").append(snapshot.place.name);
    }
    constexpr int of_the_handler = 2;  // the handler itself and what the kernel put below it
    if (char** const symbols = backtrace_symbols(snapshot.frames.data(), snapshot.depth)) {
        for (int i = of_the_handler; i < snapshot.depth; ++i) text.append("\n  ").append(symbols[i]);
        std::free(symbols);
    }
    return text;
}

}  // namespace

class StallDetector::Watcher {
public:
    Watcher(const std::atomic<std::uint64_t>& phase, Duration limit)
        : phase_(phase), limit_(limit), has_handler_(install_handler()), watched_(pthread_self()) {
        void* frame;
        backtrace(&frame, 1);  // loads what it needs: a signal handler may not
        wanted = &snapshot_;
        thread_ = std::thread([this] { watch(); });
    }
    ~Watcher() {
        {
            const std::lock_guard lock(mutex_);
            ending_ = true;
        }
        changed_.notify_all();
        thread_.join();
        wanted = nullptr;  // behind the last signal: pthread_kill() to the own thread has been delivered
    }

private:
    void watch() noexcept {
        std::uint64_t seen = 0;
        int looks = 0;  // at one and the same turn
        std::unique_lock lock(mutex_);
        while (!changed_.wait_for(lock, limit_ / looks_per_limit, [this] { return ending_; })) {
            const std::uint64_t phase = phase_.load(std::memory_order_relaxed);
            if (phase != seen || phase % 2 == 0) {
                if (looks > looks_per_limit) guarded("while reporting", [&] { say_over(looks); });
                seen = phase;
                looks = 0;
            } else if (looks++ == looks_per_limit) {
                guarded("while reporting", [&] { say_stalled(lock); });
            }
        }
    }

    void say_stalled(std::unique_lock<std::mutex>& lock) {
        snapshot_.taken.store(false, std::memory_order_relaxed);
        std::string text = "the loop has been held for more than " + milliseconds(looks_per_limit);
        if (has_handler_ && pthread_kill(watched_, SIGURG) == 0) {
            // The handler runs as soon as the thread does; a sanitizer may put it off for long.
            for (int i = 0; i < 100 && !snapshot_.taken.load(std::memory_order_acquire) && !ending_; ++i)
                changed_.wait_for(lock, std::chrono::milliseconds(1));
            if (snapshot_.taken.load(std::memory_order_acquire)) text += describe(snapshot_);
        }
        log(LogLevel::warn, "reactor", text);
    }
    void say_over(int looks) const {
        log(LogLevel::warn, "reactor", "the loop goes on after about " + milliseconds(looks));
    }
    [[nodiscard]] std::string milliseconds(int looks) const {
        return std::to_string(limit_ / looks_per_limit * looks / std::chrono::milliseconds(1)) + " ms";
    }

    static constexpr int looks_per_limit = 4;

    const std::atomic<std::uint64_t>& phase_;
    const Duration limit_;
    const bool has_handler_;
    const pthread_t watched_;
    Snapshot snapshot_;
    std::mutex mutex_;  // guards `ending_`
    std::condition_variable changed_;
    bool ending_ = false;
    std::thread thread_;
};

StallDetector::StallDetector(Duration limit) : watcher_(std::make_unique<Watcher>(phase_, limit)) {}

StallDetector::~StallDetector() = default;

}  // namespace lariat
