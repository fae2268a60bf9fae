// SPDX-License-Identifier: MIT
// StallDetector: says where a loop is that does not come around. A thread of its own looks whether the loop goes on;
// when one turn takes longer than the limit it interrupts the loop's thread with SIGURG, whose handler notes the place,
// and logs that, while the turn is still going on.
//
// Threads: made, told and destroyed by the loop's.
#pragma once

#include <lariat/io/base/clock.hpp>

#include <atomic>
#include <cstdint>
#include <memory>

namespace lariat {

class StallDetector {
public:
    /// Watches the calling thread. `limit` is at least a millisecond. A handler of the program's own for SIGURG stays;
    /// then stalls are logged without the place.
    explicit StallDetector(Duration limit);
    StallDetector(const StallDetector&) = delete;
    StallDetector& operator=(const StallDetector&) = delete;
    ~StallDetector();

    /// The loop has something to do, and is about to wait for more.
    void turn_begins() noexcept { set_phase(phase_.load(std::memory_order_relaxed) | 1); }
    void turn_ends() noexcept { set_phase((phase_.load(std::memory_order_relaxed) | 1) + 1); }

private:
    class Watcher;

    void set_phase(std::uint64_t phase) noexcept { phase_.store(phase, std::memory_order_relaxed); }

    std::atomic<std::uint64_t> phase_{1};  // odd while the loop is busy
    std::unique_ptr<Watcher> watcher_;
};

}  // namespace lariat
