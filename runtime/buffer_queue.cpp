// SPDX-License-Identifier: MIT
#include <lariat/runtime/buffer_queue.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace lariat {
namespace {

// What an emptied queue keeps of its vector: enough for one full gather, little enough for 100,000 connections.
constexpr std::size_t kept_capacity = 16;

Buffer fresh_copy(Bytes bytes, io::BufferPool& pool) {
    io::Chunk* chunk = bytes.size() <= pool.chunk_size() ? pool.acquire() : nullptr;
    if (!chunk) return Buffer::copy_of(bytes);
    std::memcpy(chunk->data, bytes.data(), bytes.size());
    return Buffer(*chunk, 0, bytes.size());
}

}  // namespace

void BufferQueue::append_copy(Bytes bytes, io::BufferPool& pool) {
    if (bytes.empty()) return;
    if (!empty() && last().room() >= bytes.size()) {
        last().append(bytes);
        size_ += bytes.size();
    } else {
        append(fresh_copy(bytes, pool));
    }
}

void BufferQueue::append(Buffer buffer) {
    if (buffer.empty()) return;
    const std::size_t added = buffer.size();
    if (empty()) {
        first_ = std::move(buffer);
    } else {
        rest_.push_back(std::move(buffer));
    }
    size_ += added;
}

std::size_t BufferQueue::gather(std::span<iovec> parts, std::size_t& bytes) const noexcept {
    bytes = 0;
    std::size_t count = 0;
    const auto add = [&](const Buffer& buffer) {
        parts[count++] = {const_cast<std::byte*>(buffer.data()), buffer.size()};
        bytes += buffer.size();
    };
    if (!empty() && !parts.empty()) add(first_);
    for (std::size_t i = begin_; i < rest_.size() && count < parts.size(); ++i) add(rest_[i]);
    return count;
}

void BufferQueue::consume(std::size_t count) noexcept {
    LARIAT_CHECK(count <= size_, "more bytes consumed than were in line");
    size_ -= count;
    while (count > 0) {
        const std::size_t taken = std::min(count, first_.size());
        first_.remove_prefix(taken);
        count -= taken;
        if (first_.empty()) advance();
    }
}

// The next Buffer becomes the first.
void BufferQueue::advance() noexcept {
    first_.reset();
    if (begin_ < rest_.size()) first_ = std::move(rest_[begin_++]);
    if (begin_ != rest_.size()) return;
    rest_.clear();
    begin_ = 0;
    if (rest_.capacity() > kept_capacity) std::vector<Buffer>().swap(rest_);
}

Buffer BufferQueue::pop_front() noexcept {
    Buffer front = std::move(first_);
    size_ -= front.size();
    advance();
    return front;
}

void BufferQueue::clear() noexcept {
    first_.reset();
    rest_.clear();
    begin_ = size_ = 0;
}

}  // namespace lariat
