// SPDX-License-Identifier: MIT
#include <lariat/io/uring/provided_buffers.hpp>

#include <algorithm>
#include <cerrno>
#include <sys/mman.h>
#include <utility>

namespace lariat::io::uring {

int ProvidedBuffers::set_up(io_uring* ring, BufferPool& pool) noexcept {
    const std::size_t bytes = pool.limit() * sizeof(io_uring_buf);
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return -errno;
    io_uring_buf_reg registration = {};
    registration.ring_addr = reinterpret_cast<std::uint64_t>(memory);
    registration.ring_entries = static_cast<std::uint32_t>(pool.limit());
    registration.bgid = group_;
    const int result = io_uring_register_buf_ring(ring, &registration, 0);
    if (result != 0) {
        munmap(memory, bytes);
        return result;
    }
    ring_ = ring;
    pool_ = &pool;
    places_ = static_cast<io_uring_buf_ring*>(memory);
    place_count_ = pool.limit();
    depth_ = std::min(least_depth, place_count_);
    io_uring_buf_ring_init(places_);
    return 0;
}

ProvidedBuffers::~ProvidedBuffers() { LARIAT_ASSERT(!places_, "provided buffers must be torn down before the ring"); }

void ProvidedBuffers::tear_down() noexcept {
    if (!places_) return;
    io_uring_unregister_buf_ring(ring_, group_);
    // The kernel consumes in order, so what it still holds are the last `published_` places.
    const auto mask = static_cast<std::uint16_t>(io_uring_buf_ring_mask(static_cast<std::uint32_t>(place_count_)));
    for (std::size_t i = 1; i <= published_; ++i) {
        const auto place = static_cast<std::uint16_t>(places_->tail - i);
        Chunk& chunk = pool_->chunk(places_->bufs[place & mask].bid);
        chunk.references = 0;
        release_chunk(chunk);
    }
    published_ = 0;
    munmap(places_, place_count_ * sizeof(io_uring_buf));
    places_ = nullptr;
}

void ProvidedBuffers::refill() noexcept {
    grown_this_turn_ = false;
    if (published_ >= depth_) return;
    most_used_ = std::max(most_used_, depth_ - published_);
    if (++turns_ == turns_per_review) adapt();
    const int mask = io_uring_buf_ring_mask(static_cast<std::uint32_t>(place_count_));
    int added = 0;
    for (; published_ < depth_; ++published_, ++added) {
        Chunk* chunk = pool_->acquire();
        if (!chunk) break;  // users hold the rest; receives spill to the heap meanwhile
        io_uring_buf_ring_add(places_, chunk->data, chunk->capacity, static_cast<std::uint16_t>(chunk->id), mask,
                              added);
    }
    io_uring_buf_ring_advance(places_, added);
}

void ProvidedBuffers::adapt() noexcept {
    if (most_used_ * 2 <= depth_) depth_ = std::max(std::min(least_depth, place_count_), depth_ / 2);
    most_used_ = 0;
    turns_ = 0;
}

// Once a turn, however many receives found nothing: one burst must not make the ring long for all that follows.
void ProvidedBuffers::exhausted() noexcept {
    if (std::exchange(grown_this_turn_, true)) return;
    depth_ = std::min(depth_ * 2, place_count_);
}

Buffer ProvidedBuffers::take(std::uint32_t id, std::size_t size) noexcept {
    LARIAT_CHECK(published_ > 0, "the kernel returned a buffer it was never given");
    --published_;
    return Buffer(pool_->chunk(id), 0, size);
}

}  // namespace lariat::io::uring
