// SPDX-License-Identifier: MIT
#include <lariat/coro/stream_core.hpp>

#include <lariat/coro/spawned_roots.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/runtime/reactor.hpp>

#include <algorithm>
#include <cerrno>
#include <netinet/tcp.h>

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

StreamCore* StreamCore::create(Reactor& reactor, int fd) { return new StreamCore(reactor, fd); }

StreamCore::StreamCore(Reactor& reactor, int fd)
    : Ready(release_pool), connection_(&Connection::create(reactor, fd, *this)) {
    const int on = 1;  // all writes of a turn leave together anyway; Nagle would only delay the next turn's
    reactor.backend().set_option(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void StreamCore::leave() noexcept {
    LARIAT_CHECK(!reader_ && waiters_.empty(), "a TcpStream was destroyed while a coroutine waits for it");
    if (connection_) {
        connection_->close();
        if (Reactor& reactor = connection_->reactor(); connection_->queued() > 0 && reactor.running()) {
            lingers_ = &SpawnedRoots::of(reactor);
            lingers_->add_lingering();
            return;
        }
        connection_->forget_user();
    }
    delete this;
}

// Reading

void StreamCore::wait(StreamReader& reader) noexcept {
    LARIAT_CHECK(!reader_, "two coroutines read from one TcpStream; let one read and hand out what it got");
    reader_ = &reader;
    if (!reading_) {
        reading_ = true;
        connection_->start_reading();
    }
}

void StreamCore::received(Buffer data) {
    if (unread_.empty()) {
        unread_ = std::move(data);
        unread_is_ours_ = false;
    } else {
        append_unread(data);
    }
    if (reader_) {
        if (reader_->advance()) return;
    } else if (unread_.size() >= read_credit) {
        reading_ = false;
        connection_->pause_reading();
    }
    release_pool_later();
}

void StreamCore::append_unread(const Buffer& data) {
    if (unread_.room() < data.size()) {
        Buffer grown(std::max({unread_.size() + data.size(), unread_.size() * 2, std::size_t{4096}}));
        grown.truncate(0);
        grown.append(unread_);
        unread_ = std::move(grown);
        unread_is_ours_ = true;
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
    release_pool_later();
    return front;
}

void StreamCore::consumed() noexcept {
    if (reading_ || !connection_ || unread_.size() >= read_credit / 2) return;
    reading_ = true;
    connection_->start_reading();
}

// A reader that is busy gets the rest of this turn to take what lies in the receive pool.
void StreamCore::release_pool_later() noexcept {
    if (!unread_is_ours_ && !is_scheduled() && connection_) connection_->reactor().schedule(*this);
}

void StreamCore::release_pool(Ready& ready) noexcept {
    auto& self = static_cast<StreamCore&>(ready);
    if (self.unread_is_ours_ || self.unread_.empty()) return;
    self.unread_ = Buffer::copy_of(self.unread_);
    self.unread_is_ours_ = true;
}

void StreamCore::ended() {
    ended_ = true;
    if (reader_) reader_->advance();
}

// Writing

int StreamCore::write_end() const noexcept {
    if (!connection_) return end_;
    if (closing_) return closed_cleanly;
    return write_shut_ ? write_side_shut : still_open;
}

void StreamCore::shutdown_write() noexcept {
    write_shut_ = true;
    if (connection_) connection_->shutdown_write();
}

// Each waiter may destroy the stream, so this must not be touched once the first one was woken.
void StreamCore::drained() {
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
    if (connection_) connection_->close();
}

void StreamCore::abort() noexcept {
    closing_ = true;
    if (connection_) connection_->abort();
}

void StreamCore::closed(int error) {
    if (lingers_) {
        lingers_->remove_lingering();
        delete this;
        return;
    }
    connection_ = nullptr;
    end_ = error;
    IntrusiveList<StreamWaiter> woken;
    woken.append(waiters_);
    if (reader_) reader_->advance();
    while (StreamWaiter* waiter = woken.pop_front()) waiter->wake(error);
}

Address StreamCore::local_address() const noexcept { return connection_ ? connection_->local_address() : Address(); }
Address StreamCore::peer_address() const noexcept { return connection_ ? connection_->peer_address() : Address(); }

}  // namespace lariat::detail
