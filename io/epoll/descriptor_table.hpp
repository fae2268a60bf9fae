// SPDX-License-Identifier: MIT
// DescriptorTable: what the epoll backend knows of each descriptor, found by its number without a search. Private to
// the backend.
#pragma once

#include <lariat/io/op.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <sys/epoll.h>
#include <vector>

namespace lariat::io {

/// One descriptor: who waits for what, what the kernel was told, and what it said.
struct DescriptorEntry {
    /// Bits of `pending`: directions for which the kernel reported something that dispatch() has not looked at.
    enum Direction : std::uint8_t { reading = 1, writing = 2, polling = 4 };

    Op* reader = nullptr;  ///< receive, receive_from or accept
    Op* writer = nullptr;  ///< connect or send
    Op* polls = nullptr;   ///< any number, linked through the operations

    /// Grows with each owner of the number. It travels with the registration, so that an event of a socket that is
    /// closed here but still open elsewhere (a fork, a dup) is told from one of the new owner.
    std::uint32_t generation = 0;
    std::uint32_t armed = disarmed;  ///< the events the kernel reports, or `disarmed`
    std::uint32_t happened = 0;      ///< the events of the last report
    std::uint8_t pending = 0;
    bool registered = false;  ///< in the epoll set, as far as is known
    bool dirty = false;       ///< in the list of entries whose registration must be looked at

    /// Opened or accepted through the backend or adopted by it: it is closed through the backend as well, so what is
    /// known of its registration is true. All others may be closed and reopened behind our back between two operations.
    bool owned = false;
    /// Somebody else may hold the same socket, so closing the number does not end the registration.
    bool adopted = false;

    static constexpr std::uint32_t disarmed = ~std::uint32_t{0};

    [[nodiscard]] bool idle() const noexcept { return !reader && !writer && !polls; }
};

class DescriptorTable {
public:
    DescriptorTable() : entries_(initial_size) {}

    /// The entry of a number seen before.
    DescriptorEntry& operator[](int fd) noexcept { return entries_[static_cast<std::size_t>(fd)]; }
    /// The entry of any number; those of others move when the table grows.
    DescriptorEntry& at(int fd) {
        const auto index = static_cast<std::size_t>(fd);
        if (index >= entries_.size()) entries_.resize(std::max(index + 1, 2 * entries_.size()));
        return entries_[index];
    }
    [[nodiscard]] bool contains(int fd) const noexcept {
        return fd >= 0 && static_cast<std::size_t>(fd) < entries_.size();
    }
    [[nodiscard]] int size() const noexcept { return static_cast<int>(entries_.size()); }

private:
    static constexpr std::size_t initial_size = 64;
    std::vector<DescriptorEntry> entries_;
};

}  // namespace lariat::io
