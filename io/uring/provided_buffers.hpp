// SPDX-License-Identifier: MIT
// ProvidedBuffers: the receive buffers the kernel may fill, a registered buffer ring (kernel 5.19) fed from a
// BufferPool.
//
// The kernel takes buffers in the order they were given, so a long ring would walk through cold memory. Only `depth`
// buffers are kept published; the depth doubles when the kernel ran out and shrinks again when few are used.
#pragma once

#include <lariat/io/buffer.hpp>
#include <lariat/io/buffer_pool.hpp>

#include <liburing.h>

#include <cstdint>

namespace lariat::io::uring {

class ProvidedBuffers {
public:
    /// `group` is the number by which requests choose these buffers; each of a Ring's has its own.
    explicit ProvidedBuffers(std::uint16_t group) noexcept : group_(group) {}
    ProvidedBuffers(const ProvidedBuffers&) = delete;
    ProvidedBuffers& operator=(const ProvidedBuffers&) = delete;
    ~ProvidedBuffers();

    /// Registers a ring of `pool.limit()` places, a power of two. Returns 0 or a negative errno.
    int set_up(io_uring* ring, BufferPool& pool) noexcept;
    [[nodiscard]] bool is_set_up() const noexcept { return places_ != nullptr; }
    /// Takes the buffers back. No receive may be in flight.
    void tear_down() noexcept;

    /// Publishes what is missing, once it is set up; once per turn, before the kernel is entered.
    void refill() noexcept;
    /// The Buffer the kernel filled with `size` bytes.
    Buffer take(std::uint32_t id, std::size_t size) noexcept;
    /// The kernel found the ring empty.
    void exhausted() noexcept;

    [[nodiscard]] std::uint16_t group() const noexcept { return group_; }
    /// Buffers the kernel holds now.
    [[nodiscard]] std::size_t published() const noexcept { return published_; }

private:
    void adapt() noexcept;

    static constexpr std::size_t least_depth = 8;
    static constexpr unsigned turns_per_review = 256;

    std::uint16_t group_;
    io_uring* ring_ = nullptr;
    BufferPool* pool_ = nullptr;
    io_uring_buf_ring* places_ = nullptr;
    std::size_t place_count_ = 0;
    std::size_t depth_ = 0;
    std::size_t published_ = 0;
    std::size_t most_used_ = 0;  // of one turn, since the last review
    unsigned turns_ = 0;
    bool grown_this_turn_ = false;
};

}  // namespace lariat::io::uring
