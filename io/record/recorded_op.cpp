// SPDX-License-Identifier: MIT
#include <lariat/io/record/recorded_op.hpp>

#include <algorithm>
#include <cstddef>
#include <iterator>

namespace lariat::io {
namespace {

// In the order of Verb. Every completion has a result and whether more follow; the numbers of received bytes are the
// chunk's size and the room behind the bytes, which decide where a Connection puts what comes next.
constexpr VerbShape verb_shapes[] = {
    {"accept", "", "in"}, {"connect", "a", "in"},      {"receive", "", "innnb"},        {"send", "nx", "in"},
    {"poll", "n", "in"},  {"file", "nnnbnnx", "innb"}, {"receive_from", "", "inannnb"},
};

void put_buffer(EventBytes& event, const Buffer& buffer) {
    // A slice that shares its chunk has no room behind it, and cannot tell where in the chunk it lies.
    const std::size_t capacity = buffer.is_unique() ? buffer.pinned_size() : buffer.size();
    event.number(capacity).number(buffer.room()).bytes(buffer.bytes());
}

/// What came with the result of a file's operation.
Bytes bytes_read(const FileOp& file, std::int32_t result) {
    if (file.action != FileRequest::Action::read || result <= 0) return {};
    return {static_cast<const std::byte*>(file.bytes.iov_base), static_cast<std::size_t>(result)};
}

Buffer take_buffer(EventReader& event, BufferPool& pool) {
    const std::uint64_t capacity = event.number();
    const std::uint64_t room = event.number();
    const Bytes bytes = event.bytes();
    if (bytes.empty()) return {};
    if (bytes.size() > capacity || room > capacity - bytes.size()) return event.fail(), Buffer();
    Chunk* chunk = capacity == pool.chunk_size() ? pool.acquire() : nullptr;
    if (!chunk) chunk = &allocate_chunk(capacity);
    Buffer buffer(*chunk, capacity - room - bytes.size(), bytes.size());
    std::copy(bytes.begin(), bytes.end(), buffer.data());
    return buffer;
}

}  // namespace

const VerbShape* verb_shape(std::uint64_t verb) noexcept {
    return verb < std::size(verb_shapes) ? &verb_shapes[verb] : nullptr;
}

void put_request(EventBytes& event, const Op& op) {
    event.number(static_cast<std::uint64_t>(op.verb()));
    switch (op.verb()) {
    case Verb::accept:
    case Verb::receive:
    case Verb::receive_from: break;
    case Verb::connect: event.address(static_cast<const ConnectOp&>(op).address); break;
    case Verb::send: {
        const auto& send = static_cast<const SendOp&>(op);
        event.sent({send.parts, send.part_count});
        break;
    }
    case Verb::poll: event.number(static_cast<const PollOp&>(op).events); break;
    case Verb::file: {
        const auto& file = static_cast<const FileOp&>(op);
        event.number(static_cast<std::uint64_t>(file.action)).number(static_cast<std::uint64_t>(file.flags));
        event.number(file.mode).bytes(file.path ? file.path : "").number(file.offset);
        event.sent({&file.bytes, file.action == FileRequest::Action::write ? std::size_t{1} : 0});
        break;
    }
    }
}

void put_answer(EventBytes& event, const Op& op, const Completion& completion) {
    event.number(static_cast<std::uint64_t>(op.verb())).integer(completion.result).number(completion.more ? 1 : 0);
    switch (op.verb()) {
    case Verb::receive: put_buffer(event, completion.buffer); break;
    case Verb::receive_from: {
        const auto& receive = static_cast<const ReceiveFromOp&>(op);
        event.address(receive.from).number(receive.truncated ? 1 : 0);
        put_buffer(event, completion.buffer);
        break;
    }
    case Verb::file: {
        const auto& file = static_cast<const FileOp&>(op);
        event.number(file.size).bytes(bytes_read(file, completion.result));
        break;
    }
    case Verb::accept:
    case Verb::connect:
    case Verb::send:
    case Verb::poll: break;
    }
}

Completion take_answer(EventReader& event, Op& op, BufferPool& pool) {
    Completion completion{static_cast<std::int32_t>(event.integer()), event.number() != 0, {}};
    switch (op.verb()) {
    case Verb::receive: completion.buffer = take_buffer(event, pool); break;
    case Verb::receive_from: {
        auto& receive = static_cast<ReceiveFromOp&>(op);
        receive.from = event.address();
        receive.truncated = event.number() != 0;
        completion.buffer = take_buffer(event, pool);
        break;
    }
    case Verb::file: {
        auto& file = static_cast<FileOp&>(op);
        file.size = event.number();
        const Bytes bytes = event.bytes();
        if (bytes.size() != bytes_read(file, completion.result).size() || bytes.size() > file.bytes.iov_len) {
            event.fail();
        } else {
            std::copy(bytes.begin(), bytes.end(), static_cast<std::byte*>(file.bytes.iov_base));
        }
        break;
    }
    case Verb::accept:
    case Verb::connect:
    case Verb::send:
    case Verb::poll: break;
    }
    return completion;
}

}  // namespace lariat::io
