// SPDX-License-Identifier: MIT
#include <lariat/coro/stream_operations.hpp>

#include <lariat/runtime/connection_error.hpp>

#include <string_view>

namespace lariat::detail {

Buffer ReadExactly::await_resume() {
    check();
    if (core_.unread().size() >= size_) return size_ == 0 ? Buffer() : core_.take(size_);
    if (!core_.peer_has_ended()) StreamCore::raise(core_.end());
    throw EndOfStream("the stream ended after " + std::to_string(core_.unread().size()) + " of " + std::to_string(size_)
                      + " bytes");
}

ReadUntil::ReadUntil(StreamCore& core, std::string delimiter, std::size_t limit) noexcept
    : ReadOperation(core), delimiter_(std::move(delimiter)), limit_(limit) {
    LARIAT_CHECK(!delimiter_.empty(), "read_until() needs a delimiter of at least one byte");
}

bool ReadUntil::is_satisfied() noexcept {
    const std::string_view text = core_.unread().text();
    if (const std::size_t at = text.find(delimiter_, searched_); at != std::string_view::npos) {
        found_ = at + delimiter_.size();
        return true;
    }
    if (text.size() >= delimiter_.size()) searched_ = text.size() - delimiter_.size() + 1;
    return text.size() >= limit_ || core_.has_ended();
}

Buffer ReadUntil::await_resume() {
    check();
    if (found_ > 0 && found_ <= limit_) return core_.take(found_);
    if (found_ > limit_ || core_.unread().size() >= limit_) {
        throw ProtocolViolation("no delimiter within the first " + std::to_string(limit_) + " bytes");
    }
    if (!core_.peer_has_ended()) StreamCore::raise(core_.end());
    if (core_.unread().empty()) return {};
    throw EndOfStream("the stream ended after " + std::to_string(core_.unread().size())
                      + " bytes without the delimiter");
}

bool Drained::begin() noexcept {
    end_ = core_.end();
    if (end_ != StreamCore::still_open || core_.queued() == 0) return true;
    core_.wait(static_cast<StreamWaiter&>(*this));
    return false;
}

bool CloseStream::begin() noexcept {
    core_.close();
    end_ = core_.end();
    if (end_ != StreamCore::still_open) return true;
    core_.wait(static_cast<StreamWaiter&>(*this));
    return false;
}

}  // namespace lariat::detail
