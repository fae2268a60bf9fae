// SPDX-License-Identifier: MIT
// BufferPool: chunks of one size, carved from slabs and handed out last in, first out, so that the memory in use stays
// the memory in cache. One per backend for receiving, one per reactor for what is to be sent.
//
// Lifetime: the pool's memory outlives the pool object until the last Buffer cut from it is gone.
// Threads: one, the reactor's.
#pragma once

#include <lariat/io/buffer.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace lariat::io {

class BufferPool {
public:
    /// `limit` is the largest number of chunks; beyond it acquire() finds nothing.
    static BufferPool& create(std::size_t chunk_size, std::size_t limit);
    BufferPool(const BufferPool&) = delete;
    BufferPool& operator=(const BufferPool&) = delete;

    /// The owner's last call. The memory is freed when no chunk is out any more.
    void retire() noexcept;

    /// A chunk with one reference, or null when `limit` chunks are out.
    Chunk* acquire() noexcept;
    void release(Chunk& chunk) noexcept;

    [[nodiscard]] Chunk& chunk(std::uint32_t id) noexcept {
        return slabs_[id / chunks_per_slab]->chunks[id % chunks_per_slab];
    }
    [[nodiscard]] std::size_t chunk_size() const noexcept { return chunk_size_; }
    /// Chunks handed out and not yet returned.
    [[nodiscard]] std::size_t outstanding() const noexcept { return outstanding_; }
    [[nodiscard]] std::size_t limit() const noexcept { return limit_; }

private:
    static constexpr std::size_t chunks_per_slab = 32;
    struct Slab {
        std::byte* memory = nullptr;
        Chunk chunks[chunks_per_slab];
    };

    BufferPool(std::size_t chunk_size, std::size_t limit) noexcept : chunk_size_(chunk_size), limit_(limit) {}
    ~BufferPool();
    bool grow() noexcept;

    std::size_t chunk_size_;
    std::size_t limit_;
    std::size_t outstanding_ = 0;
    bool retired_ = false;
    Chunk* free_ = nullptr;
    std::vector<std::unique_ptr<Slab>> slabs_;
};

/// Owns a pool and retires it.
struct RetirePool {
    void operator()(BufferPool* pool) const noexcept { pool->retire(); }
};
using BufferPoolPtr = std::unique_ptr<BufferPool, RetirePool>;

}  // namespace lariat::io
