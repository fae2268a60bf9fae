// SPDX-License-Identifier: MIT
// BufferQueue: bytes in line, as a FIFO of Buffers: what a connection has to send, and what it received while nobody
// read.
//
// One Buffer is held in place, so that a connection which writes once per turn needs no other memory.
#pragma once

#include <lariat/io/buffer.hpp>
#include <lariat/io/buffer_pool.hpp>

#include <cstddef>
#include <span>
#include <sys/uio.h>
#include <vector>

namespace lariat {

class BufferQueue {
public:
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    /// Bytes in line.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// Copies `bytes` to the end: behind the last Buffer where it has room, else into a chunk of `pool`, or of the heap
    /// when they are many.
    void append_copy(Bytes bytes, io::BufferPool& pool);
    /// Takes `buffer` to the end as it is. Empty ones are dropped.
    void append(Buffer buffer);

    /// Describes the first bytes in up to `parts.size()` parts and returns how many it used; `bytes` gets their sum.
    /// Valid until those bytes are consumed.
    std::size_t gather(std::span<iovec> parts, std::size_t& bytes) const noexcept;
    /// Drops the first `count` bytes.
    void consume(std::size_t count) noexcept;
    /// Takes the first Buffer out; an empty one when there is none.
    Buffer pop_front() noexcept;
    void clear() noexcept;

private:
    [[nodiscard]] Buffer& last() noexcept { return begin_ == rest_.size() ? first_ : rest_.back(); }
    void advance() noexcept;

    Buffer first_;
    std::vector<Buffer> rest_;  // from begin_ on; what lies before was moved out
    std::size_t begin_ = 0;
    std::size_t size_ = 0;
};

}  // namespace lariat
