// SPDX-License-Identifier: MIT
#include <lariat/io/buffer_pool.hpp>

#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
# define LARIAT_ASAN 1
#elif defined(__has_feature)
# if __has_feature(address_sanitizer)
#  define LARIAT_ASAN 1
# endif
#endif
#ifdef LARIAT_ASAN
# include <sanitizer/asan_interface.h>
#else
# define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
# define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

namespace lariat::io {
namespace {

// Chunks of a power of two would put the first line of every chunk into the same few cache sets; one line of distance
// between them spreads the heads.
constexpr std::size_t cache_line = 64;

}  // namespace

BufferPool& BufferPool::create(std::size_t chunk_size, std::size_t limit) { return *new BufferPool(chunk_size, limit); }

BufferPool::~BufferPool() {
    for (auto& slab : slabs_) {
        ASAN_UNPOISON_MEMORY_REGION(slab->memory, (chunk_size_ + cache_line) * chunks_per_slab);
        std::free(slab->memory);
    }
}

void BufferPool::retire() noexcept {
    retired_ = true;
    if (outstanding_ == 0) delete this;
}

Chunk* BufferPool::acquire() noexcept {
    if (!free_ && !grow()) return nullptr;
    Chunk* chunk = free_;
    free_ = chunk->next_free;
    chunk->references = 1;
    ++outstanding_;
    ASAN_UNPOISON_MEMORY_REGION(chunk->data, chunk->capacity);
    return chunk;
}

void BufferPool::release(Chunk& chunk) noexcept {
    LARIAT_ASSERT(chunk.references == 0, "a chunk returns to its pool when nothing refers to it");
    ASAN_POISON_MEMORY_REGION(chunk.data, chunk.capacity);
    chunk.next_free = free_;
    free_ = &chunk;
    --outstanding_;
    if (retired_ && outstanding_ == 0) delete this;
}

bool BufferPool::grow() noexcept {
    const std::size_t first = slabs_.size() * chunks_per_slab;
    if (first >= limit_) return false;
    const std::size_t stride = chunk_size_ + cache_line;
    void* memory = std::aligned_alloc(4096, (stride * chunks_per_slab + 4095) / 4096 * 4096);
    if (!memory) return false;
    auto slab = std::unique_ptr<Slab>(new (std::nothrow) Slab);
    if (!slab) {
        std::free(memory);
        return false;
    }
    slab->memory = static_cast<std::byte*>(memory);
    const std::size_t count = limit_ - first < chunks_per_slab ? limit_ - first : chunks_per_slab;
    for (std::size_t i = count; i-- > 0;) {
        Chunk& chunk = slab->chunks[i];
        chunk.data = slab->memory + i * stride;
        chunk.pool = this;
        chunk.capacity = static_cast<std::uint32_t>(chunk_size_);
        chunk.id = static_cast<std::uint32_t>(first + i);
        chunk.next_free = free_;
        free_ = &chunk;
    }
    ASAN_POISON_MEMORY_REGION(slab->memory, stride * chunks_per_slab);
    slabs_.push_back(std::move(slab));
    return true;
}

}  // namespace lariat::io
