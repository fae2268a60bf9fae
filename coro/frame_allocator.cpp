// SPDX-License-Identifier: MIT
#include <lariat/coro/frame_allocator.hpp>

namespace lariat::detail {

constinit thread_local FrameCache frame_cache = {};

namespace {

// Opens the cache with the thread's first frame and empties it with the thread.
struct Keeper {
    Keeper() noexcept {
        for (FrameCache::Class& kept : frame_cache.by_size) kept.room = FrameCache::kept_per_class;
    }
    ~Keeper() {
        for (FrameCache::Class& kept : frame_cache.by_size) {
            kept.room = 0;  // frames may still be released while the thread's other locals are destroyed
            while (FrameCache::Frame* frame = kept.first) {
                kept.first = frame->next;
                ::operator delete(frame);
            }
        }
    }
    void use() const noexcept {}
};

thread_local Keeper keeper;

}  // namespace

void* allocate_frame_slowly(std::size_t size) {
    const std::size_t index = FrameCache::class_of(size);
    if (!LARIAT_RECYCLE_FRAMES || index >= FrameCache::classes) return ::operator new(size);
    keeper.use();
    return ::operator new((index + 1) * FrameCache::granule);
}

void release_frame_slowly(void* frame, std::size_t) noexcept { ::operator delete(frame); }

}  // namespace lariat::detail
