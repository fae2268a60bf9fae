// SPDX-License-Identifier: MIT
// FaultPlan: what a FaultBackend does to a program, how often, and from which seed; FaultCounts: what it has done.
#pragma once

#include <lariat/io/base/clock.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lariat::io {

/// What goes wrong. Everything here is what a kernel may do to a program on a bad day.
enum class Fault : std::uint8_t {
    // A program cannot tell these from a slow machine, and must lose nothing.
    short_read,            ///< what arrived comes in pieces, down to one byte
    short_write,           ///< try_send() takes a part, down to one byte; a send leaves in pieces or is cut short
    again_storm,           ///< try_send(), try_send_to() and try_accept() find nothing to do, several times in a row
    multishot_end,         ///< an accept or receive ends inside the kernel and is armed again; nobody above sees it
    late_submission,       ///< an operation waits some turns for a place in the queue
    late_completion,       ///< a completion comes some turns later
    reordered_completion,  ///< a completion overtakes those of other descriptors
    repeated_completion,   ///< a completion comes twice: the loop is woken for the second one, which is dropped
    late_cancel,           ///< a cancellation waits some turns; polls excepted, whose descriptors may be closed at once
    lost_cancel,           ///< a cancellation waits for a result to come first, but only for so long
    early_wake,            ///< wait() returns without a cause
    false_readiness,       ///< a poll says that its events are true, and they are not; poll(2), "BUGS"
    slow_answer,           ///< names and threads take long, on simulated backends; FaultNames: names, on all

    // These are errors that a program sees.
    no_buffers,       ///< ENOBUFS where a socket is opened, accepted or connected and where a datagram is sent; other
                      ///< sends find the socket full
    no_descriptors,   ///< EMFILE where a socket or a file is opened or accepted
    no_memory,        ///< ENOMEM where a socket or a file is opened, accepted or connected
    aborted_accept,   ///< ECONNABORTED in front of a connection that is accepted
    failed_transfer,  ///< ENOMEM where bytes are sent, received, read or written; what had arrived is still delivered
    failed_sync,      ///< EIO where a file is synced
};

inline constexpr std::size_t fault_kinds = static_cast<std::size_t>(Fault::failed_sync) + 1;
inline constexpr std::size_t fault_kinds_unseen = static_cast<std::size_t>(Fault::slow_answer) + 1;

/// "short_read" and so on.
std::string_view to_string(Fault fault) noexcept;

class FaultPlan {
public:
    /// Nothing goes wrong yet. The same seed and the same calls of the program give the same faults.
    explicit FaultPlan(std::uint64_t seed = 1) noexcept : seed_(seed) {}

    /// How many of 1000 occasions `fault` takes.
    FaultPlan& rate(Fault fault, unsigned per_mille) noexcept {
        rates_[static_cast<std::size_t>(fault)] = per_mille;
        return *this;
    }
    /// The same for every fault that a program cannot tell from a slow machine.
    FaultPlan& disturb(unsigned per_mille) noexcept {
        for (std::size_t i = 0; i < fault_kinds_unseen; ++i) rates_[i] = per_mille;
        return *this;
    }
    /// What is late is late by at most so many turns of the loop; a cancellation that is to lose waits for ten times
    /// as many.
    FaultPlan& turns(unsigned most) noexcept { return turns_ = most, *this; }
    /// Calls that a storm of EAGAIN reaches at most.
    FaultPlan& storm(unsigned most) noexcept { return storm_ = most, *this; }
    /// What a slow answer takes at most.
    FaultPlan& slowness(Duration most) noexcept { return slowness_ = most, *this; }

    [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }
    [[nodiscard]] unsigned rate(Fault fault) const noexcept { return rates_[static_cast<std::size_t>(fault)]; }
    [[nodiscard]] unsigned turns() const noexcept { return turns_; }
    [[nodiscard]] unsigned storm() const noexcept { return storm_; }
    [[nodiscard]] Duration slowness() const noexcept { return slowness_; }

private:
    std::uint64_t seed_;
    std::array<unsigned, fault_kinds> rates_{};
    unsigned turns_ = 4;
    unsigned storm_ = 8;
    Duration slowness_ = std::chrono::seconds(2);
};

/// How often each fault has happened, so that a test can require that it did.
class FaultCounts {
public:
    [[nodiscard]] std::uint64_t operator[](Fault fault) const noexcept {
        return counts_[static_cast<std::size_t>(fault)];
    }
    void add(Fault fault) noexcept { ++counts_[static_cast<std::size_t>(fault)]; }

private:
    std::array<std::uint64_t, fault_kinds> counts_{};
};

}  // namespace lariat::io
