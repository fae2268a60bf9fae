// SPDX-License-Identifier: MIT
// Buffer: received or owned bytes, a counted slice of a chunk. Chunks come from a BufferPool (io/buffer_pool.hpp) and
// return to it when their last slice is gone, or from the heap.
//
// Threads: a Buffer and every slice of its chunk belong to one thread, that of the reactor which made it; copy the
// bytes to hand them to another thread.
#pragma once

#include <lariat/io/base/assert.hpp>
#include <lariat/io/base/bytes.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace lariat {

namespace io {

class BufferPool;

/// The shared part of a Buffer's memory: where it lies, how many slices refer to it, and where it returns to.
struct Chunk {
    std::byte* data = nullptr;
    BufferPool* pool = nullptr;  ///< null: on the heap, freed with the last slice
    std::uint32_t capacity = 0;
    std::uint32_t references = 0;
    std::uint32_t id = 0;  ///< its index in the pool
    Chunk* next_free = nullptr;
};

/// Returns a chunk without references to its pool or to the heap.
void release_chunk(Chunk& chunk) noexcept;
/// A chunk on the heap with one reference.
Chunk& allocate_chunk(std::size_t capacity);

}  // namespace io

/// Bytes with an owner. Moving is cheap; `slice()` shares without copying. False when empty, so that
/// `while (Buffer data = co_await peer.read_some())` ends at the end of the stream.
class Buffer {
public:
    Buffer() noexcept = default;
    /// `size` uninitialised bytes on the heap.
    explicit Buffer(std::size_t size) : Buffer(io::allocate_chunk(size), 0, size) {}
    static Buffer copy_of(Bytes bytes);
    /// Takes over one reference to `chunk`.
    Buffer(io::Chunk& chunk, std::size_t offset, std::size_t size) noexcept
        : chunk_(&chunk), data_(chunk.data + offset), size_(static_cast<std::uint32_t>(size)) {}

    Buffer(Buffer&& other) noexcept
        : chunk_(std::exchange(other.chunk_, nullptr)),
          data_(std::exchange(other.data_, nullptr)),
          size_(std::exchange(other.size_, 0)) {}
    Buffer& operator=(Buffer&& other) noexcept {
        if (this != &other) {
            reset();
            chunk_ = std::exchange(other.chunk_, nullptr);
            data_ = std::exchange(other.data_, nullptr);
            size_ = std::exchange(other.size_, 0);
        }
        return *this;
    }
    ~Buffer() { reset(); }

    explicit operator bool() const noexcept { return size_ != 0; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::byte* data() noexcept { return data_; }
    [[nodiscard]] const std::byte* data() const noexcept { return data_; }
    [[nodiscard]] Bytes bytes() const noexcept { return {data_, size_}; }
    operator Bytes() const noexcept { return bytes(); }
    [[nodiscard]] std::string_view text() const noexcept { return bytes().text(); }
    [[nodiscard]] std::string str() const { return bytes().str(); }

    /// Another owner of `size` bytes from `offset` on; the memory lives until both are gone.
    [[nodiscard]] Buffer slice(std::size_t offset, std::size_t size) const noexcept {
        LARIAT_CHECK(offset <= size_ && size <= size_ - offset, "a slice must lie inside its Buffer");
        if (size == 0) return {};
        ++chunk_->references;
        return Buffer(*chunk_, static_cast<std::size_t>(data_ - chunk_->data) + offset, size);
    }
    /// Another owner of `part`, which must lie inside this Buffer.
    [[nodiscard]] Buffer slice(Bytes part) const noexcept {
        return slice(static_cast<std::size_t>(part.data() - data_), part.size());
    }
    /// True when `part` lies inside this Buffer, so that slice(part) can keep it without a copy.
    [[nodiscard]] bool contains(Bytes part) const noexcept {
        return chunk_ && part.data() >= data_ && part.data() + part.size() <= data_ + size_;
    }

    /// Drops the first `count` bytes.
    void remove_prefix(std::size_t count) noexcept {
        LARIAT_CHECK(count <= size_, "more bytes removed than there are");
        data_ += count;
        size_ -= static_cast<std::uint32_t>(count);
    }
    void truncate(std::size_t size) noexcept {
        LARIAT_CHECK(size <= size_, "truncate cannot make a Buffer longer");
        size_ = static_cast<std::uint32_t>(size);
    }

    /// Bytes this slice keeps from being used again: the whole chunk.
    [[nodiscard]] std::size_t pinned_size() const noexcept { return chunk_ ? chunk_->capacity : 0; }
    /// True when no other slice shares the chunk.
    [[nodiscard]] bool is_unique() const noexcept { return chunk_ && chunk_->references == 1; }
    /// Bytes of the chunk behind the slice's end; only the sole owner may append().
    [[nodiscard]] std::size_t room() const noexcept {
        return is_unique() ? static_cast<std::size_t>(chunk_->data + chunk_->capacity - (data_ + size_)) : 0;
    }
    /// Copies `bytes`, at most room() of them, behind the slice's end.
    void append(Bytes bytes) noexcept;

    void reset() noexcept {
        if (chunk_ && --chunk_->references == 0) io::release_chunk(*chunk_);
        chunk_ = nullptr;
        data_ = nullptr;
        size_ = 0;
    }

private:
    io::Chunk* chunk_ = nullptr;
    std::byte* data_ = nullptr;
    std::uint32_t size_ = 0;
};

}  // namespace lariat
