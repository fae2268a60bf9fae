// SPDX-License-Identifier: MIT
// ByteQueue: bytes in, bytes out, in order; what a simulated connection has under way in one direction.
#pragma once

#include <lariat/io/base/assert.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>

namespace lariat::sim {

class ByteQueue {
public:
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    void push(const void* bytes, std::size_t count) {
        if (count == 0) return;
        if (size_ + count > capacity_) grow(size_ + count);
        const std::size_t tail = (head_ + size_) & (capacity_ - 1);
        const std::size_t first = std::min(count, capacity_ - tail);
        std::memcpy(memory_.get() + tail, bytes, first);
        std::memcpy(memory_.get(), static_cast<const std::byte*>(bytes) + first, count - first);
        size_ += count;
    }
    /// Takes the oldest `count` bytes, at most size(); `into` may be null to drop them.
    void pop(void* into, std::size_t count) noexcept {
        LARIAT_ASSERT(count <= size_, "more bytes taken than there are");
        if (into && count > 0) {
            const std::size_t first = std::min(count, capacity_ - head_);
            std::memcpy(into, memory_.get() + head_, first);
            std::memcpy(static_cast<std::byte*>(into) + first, memory_.get(), count - first);
        }
        size_ -= count;
        head_ = size_ == 0 ? 0 : (head_ + count) & (capacity_ - 1);
        if (size_ == 0 && capacity_ > kept_when_idle) {
            memory_.reset();
            capacity_ = 0;
        }
    }
    /// Drops the newest `count` bytes.
    void drop_newest(std::size_t count) noexcept {
        LARIAT_ASSERT(count <= size_, "more bytes dropped than there are");
        size_ -= count;
    }

private:
    static constexpr std::size_t kept_when_idle = 4096;

    void grow(std::size_t wanted) {
        std::size_t capacity = std::max<std::size_t>(capacity_ * 2, 256);
        while (capacity < wanted) capacity *= 2;
        std::unique_ptr<std::byte[]> memory(new std::byte[capacity]);
        const std::size_t first = std::min(size_, capacity_ - head_);
        if (size_ > 0) {
            std::memcpy(memory.get(), memory_.get() + head_, first);
            std::memcpy(memory.get() + first, memory_.get(), size_ - first);
        }
        memory_ = std::move(memory);
        capacity_ = capacity;
        head_ = 0;
    }

    std::unique_ptr<std::byte[]> memory_;
    std::size_t capacity_ = 0;  // a power of two, or 0
    std::size_t head_ = 0;
    std::size_t size_ = 0;
};

}  // namespace lariat::sim
