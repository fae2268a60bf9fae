// SPDX-License-Identifier: MIT
#include <lariat/io/buffer.hpp>

#include <lariat/io/buffer_pool.hpp>

#include <cstring>
#include <new>

namespace lariat {

namespace io {

void release_chunk(Chunk& chunk) noexcept {
    if (chunk.pool) {
        chunk.pool->release(chunk);
    } else {
        chunk.~Chunk();
        ::operator delete(&chunk);
    }
}

Chunk& allocate_chunk(std::size_t capacity) {
    // One allocation: the header, then the bytes.
    void* memory = ::operator new(sizeof(Chunk) + capacity);
    auto* chunk = ::new (memory) Chunk;
    chunk->data = reinterpret_cast<std::byte*>(chunk + 1);
    chunk->capacity = static_cast<std::uint32_t>(capacity);
    chunk->references = 1;
    return *chunk;
}

}  // namespace io

Buffer Buffer::copy_of(Bytes bytes) {
    Buffer copy(bytes.size());
    if (!bytes.empty()) std::memcpy(copy.data(), bytes.data(), bytes.size());
    return copy;
}

void Buffer::append(Bytes bytes) noexcept {
    LARIAT_CHECK(bytes.size() <= room(), "no room behind this Buffer");
    std::memcpy(data_ + size_, bytes.data(), bytes.size());
    size_ += static_cast<std::uint32_t>(bytes.size());
}

}  // namespace lariat
