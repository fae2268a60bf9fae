// SPDX-License-Identifier: MIT
#include <lariat/coro/connection_stream.hpp>

#include <lariat/coro/spawned_roots.hpp>
#include <lariat/runtime/reactor.hpp>

#include <netinet/tcp.h>

namespace lariat::detail {

ConnectionStream::ConnectionStream(Reactor& reactor, int fd)
    : Ready(loan_is_due), connection_(&Connection::create(reactor, fd, *this)) {
    const int on = 1;  // all writes of a turn leave together anyway; Nagle would only delay the next turn's
    reactor.backend().set_option(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void ConnectionStream::outlive_owner() noexcept {
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

// A reader that is busy gets the rest of this turn to take what lies in the receive pool.
void ConnectionStream::keep_loan() noexcept {
    if (!is_scheduled() && connection_) connection_->reactor().schedule(*this);
}

void ConnectionStream::closed(int error) {
    if (lingers_) {
        lingers_->remove_lingering();
        delete this;
        return;
    }
    connection_ = nullptr;
    end_with(error);
}

Address ConnectionStream::local_address() const noexcept {
    return connection_ ? connection_->local_address() : Address();
}
Address ConnectionStream::peer_address() const noexcept {
    return connection_ ? connection_->peer_address() : Address();
}

}  // namespace lariat::detail
