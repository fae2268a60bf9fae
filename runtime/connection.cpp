// SPDX-License-Identifier: MIT
#include <lariat/runtime/connection.hpp>

#include <lariat/runtime/reactor.hpp>

#include <cerrno>

namespace lariat {
namespace {

// Parts of one send; 64 chunks of 4 KiB make the 256 KiB that a turn gives one connection.
constexpr std::size_t parts_per_send = 64;
constexpr std::size_t bytes_per_turn = 256 * 1024;

}  // namespace

Connection& Connection::create(Reactor& reactor, int fd, ConnectionUser& user) {
    auto* connection = new Connection(reactor, fd, user);
    reactor.register_connection(*connection);
    return *connection;
}

Connection::Connection(Reactor& reactor, int fd, ConnectionUser& user) noexcept
    : reactor_(&reactor), user_(&user), receive_(on_receive, this), later_(*this) {
    receive_.fd = fd;
}

Connection::~Connection() = default;

Address Connection::local_address() const noexcept {
    Address address;
    reactor_->backend().local_address(fd(), address);
    return address;
}

Address Connection::peer_address() const noexcept {
    Address address;
    reactor_->backend().peer_address(fd(), address);
    return address;
}

// Reading

void Connection::start_reading() noexcept {
    if (state_ != State::open) return;
    wants_read_ = true;
    if (!parked_.empty() || read_ended_ || read_error_ != 0) {
        if (!later_.is_scheduled()) reactor_->schedule(later_);
    }
    if (!receive_.in_flight() && !read_ended_ && read_error_ == 0) reactor_->backend().submit(receive_);
}

// The receive stays armed until something arrives that nobody wants: short pauses then cost nothing, and the end of the
// connection is noticed while paused.
void Connection::pause_reading() noexcept { wants_read_ = false; }

void Connection::on_receive(io::Op& op, io::Completion& completion) noexcept {
    static_cast<Connection*>(op.owner)->received(completion);
}

void Connection::received(io::Completion& completion) noexcept {
    if (state_ == State::closing) {
        if (!kernel_holds_us()) finish();
        return;
    }
    if (state_ == State::flushing) {
        // Received and dropped: bytes left unread would turn the close into a reset, and the peer could lose what was
        // sent to it (RFC 1122, 4.2.2.13).
        if (completion.result < 0 && completion.result != -ECANCELED) begin_closing(-completion.result);
        return;
    }
    if (completion.result > 0) {
        if (wants_read_ && parked_.empty()) {
            // The answer leaves as soon as the user has returned: what it consists of is in cache, and its buffer is
            // free for the next connection.
            answering_ = true;
            if (user_) user_->received(std::move(completion.buffer));
            answering_ = false;
            if (!queue_.empty()) flush();
        } else {
            park(std::move(completion.buffer));
        }
    } else if (completion.result == 0) {
        read_ended_ = true;
    } else if (completion.result != -ECANCELED) {
        read_error_ = -completion.result;
    }
    if (state_ != State::open || completion.more) return;
    if (read_ended_ || read_error_ != 0) {
        if (parked_.empty()) deliver_parked();
    } else if (wants_read_ && !receive_.in_flight()) {
        reactor_->backend().submit(receive_);  // resumed while the cancellation of a pause was under way
    }
}

void Connection::park(Buffer data) noexcept {
    // Copied: what waits here may wait for long, and receive buffers are for those who read.
    parked_.append_copy(data, reactor_->transmit_pool());
    if (wants_read_) {
        if (!later_.is_scheduled()) reactor_->schedule(later_);
    } else {
        reactor_->backend().cancel(receive_);  // from here on TCP pushes back
    }
}

// Hands over what waited, then the end of the stream or the error that came behind it.
void Connection::deliver_parked() noexcept {
    while (state_ == State::open && wants_read_ && !parked_.empty()) {
        if (user_) user_->received(parked_.pop_front());
    }
    if (state_ != State::open || !parked_.empty()) return;
    if (read_error_ != 0) {
        begin_closing(read_error_);
    } else if (read_ended_ && !end_delivered_) {
        end_delivered_ = true;
        // An answer to the last bytes leaves before the end is told: users may drop what is still unsent then.
        if (!queue_.empty()) flush();
        if (user_ && state_ != State::closing) user_->ended();
    }
}

// Writing

void Connection::write(Bytes bytes) {
    if (state_ == State::closing || shutdown_done_) return;
    queue_.append_copy(bytes, reactor_->transmit_pool());
    if (!answering_ && !queue_.empty()) reactor_->mark_dirty(*this);
}

void Connection::write(Buffer buffer) {
    if (state_ == State::closing || shutdown_done_) return;
    queue_.append(std::move(buffer));
    if (!answering_ && !queue_.empty()) reactor_->mark_dirty(*this);
}

void Connection::flush() noexcept {
    static_cast<ListHook<DirtyTag>&>(*this).unlink();
    if (state_ == State::closing || (send_ && send_->in_flight())) return;
    std::size_t sent_this_turn = 0;
    while (!queue_.empty()) {
        iovec parts[parts_per_send];
        std::size_t bytes = 0;
        const std::size_t count = queue_.gather(parts, bytes);
        const std::ptrdiff_t sent = reactor_->backend().try_send(fd(), {parts, count});
        if (sent < 0 && sent != -EAGAIN) {
            begin_closing(static_cast<int>(-sent));
            return;
        }
        if (sent > 0) queue_.consume(static_cast<std::size_t>(sent));
        if (sent < static_cast<std::ptrdiff_t>(bytes)) {
            send_when_writable();
            return;
        }
        sent_this_turn += bytes;
        if (sent_this_turn >= bytes_per_turn && !queue_.empty()) {
            reactor_->mark_dirty(*this);  // the rest in the next turn: others want their share
            return;
        }
    }
    queue_emptied();
}

void Connection::send_when_writable() noexcept {
    if (!send_) {
        send_ = std::make_unique<io::SendOp>(on_send, this);
        send_->fd = fd();
    }
    std::size_t bytes = 0;
    send_->part_count = static_cast<std::uint32_t>(queue_.gather(send_->parts, bytes));
    reactor_->backend().submit(*send_);
}

void Connection::on_send(io::Op& op, io::Completion& completion) noexcept {
    auto& self = *static_cast<Connection*>(op.owner);
    if (completion.result > 0 && self.state_ != State::closing) {
        self.queue_.consume(static_cast<std::size_t>(completion.result));
    }
    if (self.state_ == State::closing) {
        if (!self.kernel_holds_us()) self.finish();
    } else if (completion.result < 0) {
        self.begin_closing(-completion.result);
    } else {
        self.flush();
    }
}

void Connection::queue_emptied() noexcept {
    send_.reset();
    if (shutdown_wanted_ && !shutdown_done_) {
        shutdown_done_ = true;
        reactor_->backend().shutdown(fd(), SHUT_WR);
    }
    if (user_) user_->drained();
    if (state_ == State::flushing && queue_.empty() && !close_held_) begin_closing(0);
}

// Closing

void Connection::shutdown_write() noexcept {
    if (state_ != State::open || shutdown_wanted_) return;
    shutdown_wanted_ = true;
    reactor_->mark_dirty(*this);
}

void Connection::close() noexcept {
    if (state_ != State::open) return;
    state_ = State::flushing;
    wants_read_ = false;
    parked_.clear();
    reactor_->mark_dirty(*this);  // even with nothing to send: the end comes from the loop
}

void Connection::hold_close(bool held) noexcept {
    close_held_ = held;
    if (!held && state_ == State::flushing) reactor_->mark_dirty(*this);
}

void Connection::disconnect(int error) noexcept {
    if (state_ != State::closing) begin_closing(error);
}

void Connection::abort() noexcept {
    if (state_ == State::closing) return;
    // Closing then discards what is unsent and sends a reset; see socket(7), SO_LINGER.
    const linger reset{1, 0};
    reactor_->backend().set_option(fd(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    begin_closing(ECONNABORTED);
}

void Connection::begin_closing(int error) noexcept {
    LARIAT_ASSERT(state_ != State::closing, "a connection ends once");
    state_ = State::closing;
    error_ = error;
    wants_read_ = false;
    parked_.clear();
    reactor_->backend().cancel(receive_);
    if (send_) reactor_->backend().cancel(*send_);
    if (!kernel_holds_us() && !later_.is_scheduled()) reactor_->schedule(later_);
}

bool Connection::kernel_holds_us() const noexcept { return receive_.in_flight() || (send_ && send_->in_flight()); }

void Connection::on_later(Ready& ready) noexcept {
    Connection& self = static_cast<Later&>(ready).connection;
    if (self.state_ == State::open) {
        self.deliver_parked();
    } else if (self.state_ == State::closing && !self.kernel_holds_us()) {
        self.finish();
    }
}

void Connection::finish() noexcept {
    reactor_->backend().close(fd());
    queue_.clear();
    if (user_) user_->closed(error_);
    delete this;
}

}  // namespace lariat
