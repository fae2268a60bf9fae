// SPDX-License-Identifier: MIT
#include <lariat/coro/stream_core.hpp>

#include <lariat/io/base/assert.hpp>
#include <lariat/runtime/connection_error.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace lariat::detail {

void StreamCore::raise(int end) {
    switch (end) {
    case still_open: return;
    case closed_cleanly: throw ConnectionDone();
    case write_side_shut: throw UsageError("a TcpStream was written to after shutdown_write()");
    case ECONNABORTED: throw ConnectionAborted();
    default: throw ConnectionLost::from_errno(end);
    }
}

void StreamCore::leave() noexcept {
    LARIAT_CHECK(!reader_ && waiters_.empty(), "a TcpStream was destroyed while a coroutine waits for it");
    outlive_owner();
}

// Reading

void StreamCore::wait(StreamReader& reader) noexcept {
    LARIAT_CHECK(!reader_, "two coroutines read from one TcpStream; let one read and hand out what it got");
    reader_ = &reader;
    if (!reading_) {
        reading_ = true;
        read_on();
    }
}

void StreamCore::take_in(Buffer data, bool on_loan) {
    if (unread_.empty()) {
        unread_ = std::move(data);
        on_loan_ = on_loan;
    } else {
        append_unread(data);
    }
    if (reader_) {
        if (reader_->advance()) return;
    } else if (unread_.size() >= read_credit) {
        reading_ = false;
        read_no_further();
    }
    if (on_loan_) keep_loan();
}

void StreamCore::append_unread(const Buffer& data) {
    if (unread_.room() < data.size()) {
        Buffer grown(std::max({unread_.size() + data.size(), unread_.size() * 2, std::size_t{4096}}));
        grown.truncate(0);
        grown.append(unread_);
        unread_ = std::move(grown);
        on_loan_ = false;
    }
    unread_.append(data);
}

Buffer StreamCore::take_all() noexcept {
    Buffer all = std::move(unread_);
    consumed();
    return all;
}

Buffer StreamCore::take(std::size_t size) noexcept {
    if (size == unread_.size()) return take_all();
    Buffer front = unread_.slice(0, size);
    unread_.remove_prefix(size);
    consumed();
    if (on_loan_) keep_loan();
    return front;
}

void StreamCore::consumed() noexcept {
    if (reading_ || end_ != still_open || unread_.size() >= read_credit / 2) return;
    reading_ = true;
    read_on();
}

void StreamCore::return_loan() noexcept {
    if (!on_loan_ || unread_.empty()) return;
    unread_ = Buffer::copy_of(unread_);
    on_loan_ = false;
}

void StreamCore::peer_ended() noexcept {
    ended_ = true;
    if (reader_) reader_->advance();
}

// Writing

int StreamCore::write_end() const noexcept {
    if (end_ != still_open) return end_;
    if (closing_) return closed_cleanly;
    return write_shut_ ? write_side_shut : still_open;
}

void StreamCore::shutdown_write() noexcept {
    write_shut_ = true;
    if (end_ == still_open) end_writing();
}

// Each waiter may destroy the stream, so this must not be touched once the first one was woken.
void StreamCore::wake_drained() noexcept {
    if (waiters_.empty()) return;
    IntrusiveList<StreamWaiter> woken;
    waiters_.for_each([&woken](StreamWaiter& waiter) {
        if (waiter.waits_for() != StreamWaiter::For::drained) return;
        waiter.unlink();
        woken.push_back(waiter);
    });
    while (StreamWaiter* waiter = woken.pop_front()) waiter->wake(still_open);
}

// The end

void StreamCore::close() noexcept {
    closing_ = true;
    if (end_ == still_open) begin_close();
}

void StreamCore::abort() noexcept {
    closing_ = true;
    if (end_ == still_open) begin_abort();
}

void StreamCore::end_with(int end) noexcept {
    end_ = end;
    IntrusiveList<StreamWaiter> woken;
    woken.append(waiters_);
    if (reader_) reader_->advance();
    while (StreamWaiter* waiter = woken.pop_front()) waiter->wake(end);
}

}  // namespace lariat::detail
