// SPDX-License-Identifier: MIT
#include <lariat/io/sim/stream.hpp>

#include <lariat/io/base/assert.hpp>
#include <lariat/io/sim/host.hpp>
#include <lariat/io/sim/socket.hpp>
#include <lariat/io/sim/world.hpp>

#include <algorithm>
#include <cerrno>
#include <netinet/tcp.h>
#include <poll.h>
#include <string>

namespace lariat::sim {
namespace {

using namespace std::chrono_literals;

// tcp(7): retransmission begins at these and doubles.
constexpr Duration first_retry = 200ms;
constexpr Duration first_call_retry = 1s;
constexpr Duration longest_retry = 120s;
constexpr unsigned retries = 16;       // tcp_retries2 = 15: 924.6 s in all
constexpr unsigned call_retries = 7;   // tcp_syn_retries = 6: 127 s in all
constexpr Duration no_neighbour = 3s;  // until nobody has answered for an address of the local network
constexpr Duration void_timeout = 924'600ms;

std::string_view name(Pipe::Kind kind) noexcept {
    switch (kind) {
    case Pipe::Kind::data: return "data";
    case Pipe::Kind::fin: return "fin";
    case Pipe::Kind::reset: return "reset";
    case Pipe::Kind::syn: return "syn";
    case Pipe::Kind::syn_ack: return "syn-ack";
    case Pipe::Kind::ack: return "ack";
    }
    return "";
}

}  // namespace

// Pipe

void Pipe::send(Kind kind, std::size_t size) {
    World& world = from_.world();
    const bool into_the_void = !from_.node->alive() && from_.peer().node != from_.node;
    TimePoint when = world.now() + (into_the_void ? void_timeout : travel_time(size));
    when = last_due_ = std::max(when, last_due_);
    flight_.push_back({kind, static_cast<std::uint32_t>(size), when});
    if (!is_armed()) world.timers().arm(*this, flight_.front().due);
}

Duration Pipe::travel_time(std::size_t size) noexcept {
    World& world = from_.world();
    Random& random = world.random();
    if (from_.stream().is_local()) return std::chrono::nanoseconds(random.between(500, 3000));
    End& to = from_.peer();
    if (!to.node) return no_neighbour;
    Path& path = world.path(from_.node->host(), to.node->host());
    const LinkOptions& link = path.options;
    constexpr std::size_t headers = 40;
    Duration delay = path.transit(world.now(), size + headers, random);
    for (Duration retry = first_retry; random.chance(link.loss()) && retry < longest_retry; retry *= 2) delay += retry;
    return delay;
}

void Pipe::due(Timer& timer) noexcept { static_cast<Pipe&>(timer).arrive(); }

void Pipe::arrive() noexcept {
    World& world = from_.world();
    End& to = from_.peer();
    while (!flight_.empty() && flight_.front().due <= world.now()) {
        const Segment segment = flight_.front();
        if (to.node != from_.node) {
            if (!from_.node->alive()) {
                from_.fail(ETIMEDOUT);
                break;
            }
            if (!to.node) {
                from_.fail(EHOSTUNREACH);
                break;
            }
            Host& host = to.node->host();
            if (world.path(from_.node->host(), host).cut || !host.is_up()) return try_again();
            if (segment.kind == Kind::syn) to.node = &host.node();
            if (!to.node->alive()) {  // the host has restarted and knows nothing of this connection
                from_.fail(ECONNRESET);
                break;
            }
        }
        if (segment.kind == Kind::syn) {
            const Socket* listener = to.node->listener(to.address);
            if (listener && !listener->has_room_for_handshake()) return try_again();
        }
        flight_.pop_front();
        tries_ = 0;
        if (segment.kind == Kind::data) arrived_ += segment.size;
        if (world.tracing()) from_.stream().trace(from_, segment.kind, segment.size);
        to.arrived(segment.kind, segment.size);
    }
    if (!flight_.empty()) {
        world.timers().arm(*this, flight_.front().due);
    } else {
        from_.stream().release();
    }
}

void Pipe::try_again() noexcept {
    World& world = from_.world();
    const bool calling = flight_.front().kind == Kind::syn;
    if (tries_ >= (calling ? call_retries : retries)) {
        from_.fail(ETIMEDOUT);
        from_.stream().release();
        return;
    }
    const Duration delay =
        std::min((calling ? first_call_retry : first_retry) * (1u << std::min(tries_, 16u)), longest_retry);
    ++tries_;
    flight_.front().due = world.now() + delay;
    last_due_ = std::max(last_due_, flight_.front().due);
    world.timers().arm(*this, flight_.front().due);
}

void Pipe::truncate(std::size_t segments) noexcept {
    while (flight_.size() > segments) {
        bytes_.drop_newest(flight_.back().size);
        flight_.pop_back();
    }
    if (flight_.empty()) disarm();
}

void Pipe::lose_some() noexcept { truncate(from_.world().random().below(flight_.size() + 1)); }

void Pipe::lose_all() noexcept { truncate(0); }

void Pipe::arrive_now() noexcept {
    for (Segment& segment : flight_) segment.due = from_.world().now();
    disarm();
    arrive();
}

// End

End::End(Stream& owner) noexcept : out(*this), stream_(owner), room_(*this), keep_alive_(*this), probe_(*this) {}

End& End::peer() noexcept { return stream_.end(this == &stream_.caller_ ? 1 : 0); }
World& End::world() noexcept { return stream_.world(); }

std::size_t End::room() noexcept {
    // The other end may not be there yet; it is then taken to be like this one.
    const auto of = [this](const End& end, int option) {
        const int size = (end.node ? end : *this).node->host().socket_buffers();
        return static_cast<std::size_t>(end.socket ? end.socket->number(SOL_SOCKET, option, size) : size);
    };
    const std::size_t capacity = of(*this, SO_SNDBUF) + of(peer(), SO_RCVBUF);
    return capacity > out.size() ? capacity - out.size() : 0;
}

std::ptrdiff_t End::send(std::span<const iovec> parts) {
    if (error_ != 0) return -take_error();
    if (state_ == State::connecting) return -EAGAIN;
    if (state_ != State::connected || write_ended_) return -EPIPE;
    std::size_t total = 0;
    for (const iovec& part : parts) total += part.iov_len;
    const std::size_t count = std::min(total, room());
    if (count < total) want_room();
    if (count == 0) return total == 0 ? 0 : -EAGAIN;
    std::size_t left = count;
    for (const iovec& part : parts) {
        const std::size_t some = std::min(left, part.iov_len);
        out.push(part.iov_base, some);
        left -= some;
    }
    std::size_t first = count;
    if (count > 1 && world().random().chance(world().short_transfers())) first = world().random().between(1, count - 1);
    out.send(Pipe::Kind::data, first);
    if (first < count) out.send(Pipe::Kind::data, count - first);
    return static_cast<std::ptrdiff_t>(count);
}

std::ptrdiff_t End::receive(void* into, std::size_t size) {
    if (const std::size_t count = std::min(size, readable())) {
        peer().out.take(into, count);
        if (peer().wants_room_ && !room_.is_armed()) world().timers().arm(room_, world().now() + out.travel_time(0));
        return static_cast<std::ptrdiff_t>(count);
    }
    if (end_seen_) return 0;  // also when a reset followed
    if (error_ != 0) return -take_error();
    if (read_shut_ || state_ == State::dead) return 0;
    return -EAGAIN;
}

void End::Room::fired(Timer& timer) noexcept {
    End& self = static_cast<Room&>(timer).end;
    End& sender = self.peer();
    if (self.node != sender.node && self.world().path(self.node->host(), sender.node->host()).cut) {
        self.world().timers().arm(timer, self.world().now() + first_retry);
        return;
    }
    sender.wants_room_ = false;
    sender.notify();
}

// A receiver that lives will say when there is room.
void End::want_room() noexcept {
    wants_room_ = true;
    if (peer().node && !peer().node->alive()) arm_probe();
}

void End::arm_probe() noexcept {
    if (probe_.is_armed() || state_ != State::connected || !socket || node == peer().node) return;
    const Duration pause = std::min(first_retry * (1u << std::min(probe_.asked, 16u)), longest_retry);
    world().timers().arm(probe_, world().now() + pause);
}

void End::Probe::fired(Timer& timer) noexcept {
    auto& self = static_cast<Probe&>(timer);
    End& end = self.end;
    Host& far = end.peer().node->host();
    if (!end.world().path(end.node->host(), far).cut && far.is_up()) return end.fail(ECONNRESET);
    if (++self.asked >= retries) return end.fail(ETIMEDOUT);
    end.arm_probe();
}

int End::take_error() noexcept { return std::exchange(error_, 0); }

int End::shutdown(int how) noexcept {
    if (state_ != State::connected) return -ENOTCONN;
    if (how != SHUT_RD && !write_ended_) {
        write_ended_ = true;
        out.send(Pipe::Kind::fin);
    }
    if (how != SHUT_WR) read_shut_ = true;
    notify();
    return 0;
}

bool End::has_something_to_read() noexcept {
    return readable() > 0 || end_seen_ || read_shut_ || state_ == State::dead;
}

std::uint32_t End::poll_events() noexcept {
    const bool over = state_ == State::dead;
    std::uint32_t events = 0;
    if (has_something_to_read()) events |= POLLIN | POLLRDNORM;
    if (end_seen_ || read_shut_ || over) events |= POLLRDHUP;
    if (over || write_ended_ || (state_ == State::connected && room() > 0)) {
        events |= POLLOUT | POLLWRNORM;
    } else {
        want_room();
    }
    if (error_ != 0) events |= POLLERR;
    if (over || (end_seen_ && write_ended_)) events |= POLLHUP;
    return events;
}

void End::close(bool with_reset) noexcept {
    socket = nullptr;
    keep_alive_.disarm();
    probe_.disarm();
    if (state_ == State::connected && (with_reset || readable() > 0)) {
        reset_peer();  // RFC 1122, 4.2.2.13: what was not read is lost, and the peer is to know
    } else if (state_ == State::connected) {
        state_ = State::closed;
        if (!write_ended_) {
            write_ended_ = true;
            out.send(Pipe::Kind::fin);
        }
    } else if (state_ == State::handshake || state_ == State::waiting) {
        reset_peer();
    } else if (state_ == State::connecting) {
        state_ = State::closed;
    }
    peer().out.take(nullptr, readable());
    stream_.release();
}

// What is under way may still get there before the reset.
void End::reset_peer() noexcept {
    out.lose_some();
    out.send(Pipe::Kind::reset);
    listener = nullptr;
    state_ = State::dead;
}

void End::arrived(Pipe::Kind kind, std::size_t) noexcept {
    keep_alive_.missed = 0;
    switch (kind) {
    case Pipe::Kind::syn: return called();
    case Pipe::Kind::syn_ack:
        if (state_ == State::connecting) {
            state_ = State::connected;
            out.send(Pipe::Kind::ack);
            arm_keep_alive();
            return notify();
        }
        break;
    case Pipe::Kind::ack:
        if (state_ == State::handshake) {
            state_ = State::waiting;
            return listener->handshake_done(*this);
        }
        break;
    case Pipe::Kind::reset:
        if (end_seen_ && write_ended_) return fail(0);  // it was over in order
        return fail(state_ == State::connecting ? ECONNREFUSED : end_seen_ ? EPIPE : ECONNRESET);
    case Pipe::Kind::fin: end_seen_ = true; return notify();
    case Pipe::Kind::data:
        if (state_ != State::closed && state_ != State::dead) return notify();
        peer().out.take(nullptr, readable());
        break;
    }
    if (state_ == State::closed) {  // nobody is here any more
        out.send(Pipe::Kind::reset);
        state_ = State::dead;
    }
}

void End::called() noexcept {
    node->ends.push_back(*this);
    Socket* found = node->listener(address);
    if (!found) {
        out.send(Pipe::Kind::reset);
        state_ = State::dead;
        return;
    }
    listener = found;
    listener->handshake_begun(*this);
    state_ = State::handshake;
    out.send(Pipe::Kind::syn_ack);
}

void End::accepted(Socket& by) noexcept {
    socket = &by;
    listener = nullptr;
    if (state_ == State::waiting) state_ = State::connected;
}

void End::listener_closed() noexcept {
    listener = nullptr;
    state_ = State::closed;
}

void End::fail(int error) noexcept {
    out.lose_all();
    if (state_ == State::dead) return;
    if (state_ == State::handshake) {
        listener->handshake_given_up(*this);
        listener = nullptr;
    }
    error_ = error;
    state_ = State::dead;
    keep_alive_.disarm();
    probe_.disarm();
    notify();
}

void End::vanish() noexcept {
    keep_alive_.disarm();
    room_.disarm();
    probe_.disarm();
    if (peer().node == node) return;  // within the host, life goes on
    if (peer().wants_room_) peer().arm_probe();
    out.lose_some();
    out.arrive_now();
}

void End::notify() noexcept {
    if (socket) socket->changed();
}

void End::arm_keep_alive() noexcept {
    if (!socket || stream_.is_local() || socket->number(SOL_SOCKET, SO_KEEPALIVE, 0) == 0) return;
    const int seconds = socket->number(IPPROTO_TCP, TCP_KEEPIDLE, 7200);
    world().timers().arm(keep_alive_, world().now() + std::chrono::seconds(seconds));
}

void End::KeepAlive::fired(Timer& timer) noexcept {
    auto& self = static_cast<KeepAlive&>(timer);
    End& end = self.end;
    if (end.state_ != State::connected || !end.socket) return;
    Host& far = end.peer().node->host();
    if (!end.world().path(end.node->host(), far).cut && far.is_up()) {
        if (!end.peer().node->alive()) return end.fail(ECONNRESET);
        self.missed = 0;
        return end.arm_keep_alive();
    }
    if (++self.missed > end.socket->number(IPPROTO_TCP, TCP_KEEPCNT, 9)) return end.fail(ETIMEDOUT);
    const int seconds = end.socket->number(IPPROTO_TCP, TCP_KEEPINTVL, 75);
    end.world().timers().arm(timer, end.world().now() + std::chrono::seconds(seconds));
}

// Stream

End& Stream::connect(World& world, Socket& caller, const Address& to, Host* host) {
    auto* stream = new Stream(world, !to.is_ip());
    world.own(*stream);
    End& from = stream->caller_;
    End& called = stream->called_;
    from.node = &caller.node();
    from.node->ends.push_back(from);
    from.socket = &caller;
    from.address = caller.local_address();
    from.state_ = End::State::connecting;
    called.address = to;
    if (host == &from.node->host()) {
        called.node = from.node;
    } else if (host) {
        called.node = &host->node();
    }
    from.out.send(Pipe::Kind::syn);
    return from;
}

Stream::~Stream() = default;

void Stream::release() noexcept {
    for (End* end : {&caller_, &called_}) {
        using State = End::State;
        const bool over = end->state_ == State::none || end->state_ == State::closed || end->state_ == State::dead;
        if (end->socket || end->listener || !over || !end->out.empty()) return;
    }
    delete this;
}

void Stream::trace(const End& from, Pipe::Kind kind, std::size_t size) {
    const End& to = &from == &caller_ ? called_ : caller_;
    std::string text = from.node->host().name() + " " + from.address.str() + " > " + to.address.str() + " ";
    text += name(kind);
    if (kind == Pipe::Kind::data) text += " " + std::to_string(size);
    world_.trace(text);
}

}  // namespace lariat::sim
