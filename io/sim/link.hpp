// SPDX-License-Identifier: MIT
// LinkOptions: how one host of a simulated network reaches another.
#pragma once

#include <lariat/io/base/clock.hpp>

#include <cstdint>

namespace lariat::sim {

class LinkOptions {
public:
    /// The time a segment needs to get there.
    LinkOptions& latency(Duration latency) noexcept { return latency_ = latency, *this; }
    /// A drawn delay of at most this comes on top. Segments of one connection never overtake each other.
    LinkOptions& jitter(Duration jitter) noexcept { return jitter_ = jitter, *this; }
    /// Bytes per second that all connections over the link share; 0 is unlimited.
    LinkOptions& bandwidth(std::uint64_t bytes_per_second) noexcept { return bandwidth_ = bytes_per_second, *this; }
    /// Segments of 1000 that are lost and sent again after a retransmission timeout.
    LinkOptions& loss(unsigned per_mille) noexcept { return loss_ = per_mille, *this; }

    [[nodiscard]] Duration latency() const noexcept { return latency_; }
    [[nodiscard]] Duration jitter() const noexcept { return jitter_; }
    [[nodiscard]] std::uint64_t bandwidth() const noexcept { return bandwidth_; }
    [[nodiscard]] unsigned loss() const noexcept { return loss_; }

private:
    Duration latency_ = std::chrono::microseconds(100);
    Duration jitter_ = std::chrono::microseconds(50);
    std::uint64_t bandwidth_ = 0;
    unsigned loss_ = 0;
};

}  // namespace lariat::sim
