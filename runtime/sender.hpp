// SPDX-License-Identifier: MIT
// In whose name a thread posts mail: what a replay tells calls from elsewhere apart by. Kept for every program, as it
// costs a load and a store a post.
#pragma once

#include <lariat/io/tape.hpp>

#include <cstdint>
#include <utility>

namespace lariat {

struct SenderContext {
    io::Sender sender;
    std::uint64_t pieces_of_work = 0;  ///< that a loop has given to thread pools
};

/// Null on threads of the program's own.
inline constinit thread_local SenderContext* sender_context = nullptr;

/// A thread of the program's own, numbered with its first call.
[[nodiscard]] io::Sender own_thread() noexcept;

[[nodiscard]] inline io::Sender current_sender() noexcept {
    return sender_context ? sender_context->sender : own_thread();
}

/// Makes this thread post in the name of `context` until the end of the block.
class SendingAs {
public:
    explicit SendingAs(SenderContext* context) noexcept : outer_(std::exchange(sender_context, context)) {}
    SendingAs(const SendingAs&) = delete;
    SendingAs& operator=(const SendingAs&) = delete;
    ~SendingAs() { sender_context = outer_; }

private:
    SenderContext* outer_;
};

}  // namespace lariat
