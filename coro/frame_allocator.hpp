// SPDX-License-Identifier: MIT
// Memory of coroutine frames: recycled per thread, so that steady state allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

// Recycled memory would hide use after free from the address sanitizer.
#if defined(__SANITIZE_ADDRESS__)
# define LARIAT_RECYCLE_FRAMES 0
#elif defined(__has_feature)
# if __has_feature(address_sanitizer)
#  define LARIAT_RECYCLE_FRAMES 0
# endif
#endif
#ifndef LARIAT_RECYCLE_FRAMES
# define LARIAT_RECYCLE_FRAMES 1
#endif

namespace lariat::detail {

/// The frames one thread keeps for reuse, by size class.
struct FrameCache {
    static constexpr std::size_t granule = 64;
    static constexpr std::size_t classes = 32;  // frames of up to 2 KiB; larger ones are rare and go to the heap
    static constexpr std::uint32_t kept_per_class = 4096;  // bounds what one burst leaves behind

    struct Frame {
        Frame* next;
    };
    struct Class {
        Frame* first;
        std::uint32_t room;  // how many more may be kept; 0 until the thread has used the cache, and when it ends
    };

    static constexpr std::size_t class_of(std::size_t size) noexcept { return (size - 1) / granule; }

    Class by_size[classes];
};

// Constant initialisation and no destructor: access costs no guard. What is kept is freed by another object's end.
extern constinit thread_local FrameCache frame_cache;

void* allocate_frame_slowly(std::size_t size);
void release_frame_slowly(void* frame, std::size_t size) noexcept;

/// Memory for a frame of `size` bytes, aligned for std::max_align_t. Throws std::bad_alloc.
inline void* allocate_frame(std::size_t size) {
    if (const std::size_t index = FrameCache::class_of(size); LARIAT_RECYCLE_FRAMES && index < FrameCache::classes) {
        FrameCache::Class& kept = frame_cache.by_size[index];
        if (FrameCache::Frame* frame = kept.first) {
            kept.first = frame->next;
            ++kept.room;
            return frame;
        }
    }
    return allocate_frame_slowly(size);
}

/// Takes back what allocate_frame(size) gave, on any thread.
inline void release_frame(void* memory, std::size_t size) noexcept {
    if (const std::size_t index = FrameCache::class_of(size); LARIAT_RECYCLE_FRAMES && index < FrameCache::classes) {
        FrameCache::Class& kept = frame_cache.by_size[index];
        if (kept.room > 0) {
            --kept.room;
            kept.first = ::new (memory) FrameCache::Frame{kept.first};
            return;
        }
    }
    release_frame_slowly(memory, size);
}

}  // namespace lariat::detail
