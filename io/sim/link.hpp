// SPDX-License-Identifier: MIT
// LinkOptions: how one host of a simulated network reaches another.
#pragma once

#include <lariat/io/base/clock.hpp>

#include <algorithm>
#include <cstdint>

namespace lariat::sim {

class LinkOptions {
public:
    /// The time a segment needs to get there.
    LinkOptions& latency(Duration latency) noexcept { return latency_ = latency, *this; }
    /// A drawn delay of at most this comes on top. Segments of one connection never overtake each other; datagrams do.
    LinkOptions& jitter(Duration jitter) noexcept { return jitter_ = jitter, *this; }
    /// Bytes per second that all connections over the link share; 0 is unlimited.
    LinkOptions& bandwidth(std::uint64_t bytes_per_second) noexcept { return bandwidth_ = bytes_per_second, *this; }
    /// Segments of 1000 that are lost and sent again after a retransmission timeout; packets with datagrams that are
    /// lost for good.
    LinkOptions& loss(unsigned per_mille) noexcept { return loss_ = per_mille, *this; }
    /// Datagrams of 1000 that arrive twice.
    LinkOptions& duplication(unsigned per_mille) noexcept { return duplication_ = per_mille, *this; }
    /// Datagrams of 1000 that are held up on their way, by at most four times the latency and the jitter together.
    LinkOptions& reordering(unsigned per_mille) noexcept { return reordering_ = per_mille, *this; }
    /// The largest packet in bytes, headers included, at least 68 (RFC 791). Larger datagrams travel in fragments, all
    /// of which must arrive, or are refused with EMSGSIZE where the socket wants IP_MTU_DISCOVER.
    LinkOptions& mtu(unsigned bytes) noexcept { return mtu_ = std::max(bytes, 68U), *this; }

    [[nodiscard]] Duration latency() const noexcept { return latency_; }
    [[nodiscard]] Duration jitter() const noexcept { return jitter_; }
    [[nodiscard]] std::uint64_t bandwidth() const noexcept { return bandwidth_; }
    [[nodiscard]] unsigned loss() const noexcept { return loss_; }
    [[nodiscard]] unsigned duplication() const noexcept { return duplication_; }
    [[nodiscard]] unsigned reordering() const noexcept { return reordering_; }
    [[nodiscard]] unsigned mtu() const noexcept { return mtu_; }

private:
    Duration latency_ = std::chrono::microseconds(100);
    Duration jitter_ = std::chrono::microseconds(50);
    std::uint64_t bandwidth_ = 0;
    unsigned loss_ = 0;
    unsigned duplication_ = 0;
    unsigned reordering_ = 0;
    unsigned mtu_ = 1500;
};

}  // namespace lariat::sim
