// SPDX-License-Identifier: MIT
#include <lariat/testing/memory_backend.hpp>

#include <lariat/io/base/assert.hpp>
#include <lariat/io/base/error.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace lariat::testing {

using io::Op;
using io::Verb;

namespace {

// Far above all of the kernel's, so that a mix-up is noticed.
constexpr int first_descriptor = 1 << 21;

// What a socket holds for a reader before its writer has to wait; as a pipe.
constexpr std::size_t socket_room = 65536;

constexpr std::size_t receive_size = 16384;

bool is_any(const Address& address) noexcept {
    const std::string host = address.host();
    return host == "0.0.0.0" || host == "::";
}

}  // namespace

struct MemoryBackend::Socket {
    Socket(int fd_, int domain_) noexcept : fd(fd_), domain(domain_) {}

    [[nodiscard]] std::size_t room() const noexcept {
        return inbox.size() < socket_room ? socket_room - inbox.size() : 0;
    }

    int fd;
    int domain;
    Address local;
    Address peer;
    Socket* other = nullptr;  // the far end; null when it is closed or there never was one
    std::string inbox;
    std::deque<int> waiting;  // connections nobody has accepted yet
    std::map<std::pair<int, int>, std::string> options;
    Op* reader = nullptr;
    Op* writer = nullptr;
    std::size_t sent = 0;  // of the writer's, when it is a SendOp
    bool bound = false;
    bool listening = false;
    bool joined = false;  // it is or was connected
    bool ended = false;   // the far end has sent its last byte
    bool shut = false;    // this end has
    bool reset = false;
    bool queued = false;
};

MemoryBackend::MemoryBackend() noexcept : random_(1), next_descriptor_(first_descriptor) {}

MemoryBackend::~MemoryBackend() {
    LARIAT_CHECK(operations_ == 0, "a backend was destroyed while operations are in flight");
}

void MemoryBackend::advance(Duration by) {
    if (by < Duration::zero()) throw UsageError("time does not go back: advance() takes zero or more");
    now_ = saturating_add(now_, by);
}

void MemoryBackend::wait(TimePoint deadline) noexcept {
    ++statistics_.waits;
    idle_ = !woken_.exchange(false) && !has_completions() && deadline > now_;
    if (!idle_ || frozen_) return;
    LARIAT_CHECK(deadline != never, "a reactor in memory waits and nothing can happen any more: no timer is pending, "
                                    "and connections wait for the test");
    now_ = deadline;
}

// Operations

void MemoryBackend::submit(Op& op) noexcept {
    LARIAT_CHECK(!op.in_flight(), "an operation was submitted twice");
    set_state(op, OpState::in_kernel);
    slot_of(op) = nullptr;
    ++operations_;
    ++statistics_.submissions;
    if (op.verb() == Verb::file) return finish(op, -ENOSYS);
    Socket* const socket = find(op.fd);
    if (!socket || op.verb() == Verb::poll) return finish(op, -EBADF);
    const bool reads = op.verb() == Verb::receive || op.verb() == Verb::accept;
    Op*& place = reads ? socket->reader : socket->writer;
    LARIAT_CHECK(!place, "only one operation of a direction at a time can be in flight on a descriptor");
    place = &op;
    socket->sent = 0;
    if (op.verb() == Verb::connect) {
        attempts_.push_back(op.fd);
    } else {
        look_at(*socket);
    }
}

void MemoryBackend::cancel(Op& op) noexcept {
    if (!op.in_flight() || op.cancel_requested()) return;
    set_state(op, OpState::cancelling);
    if (slot_of(op)) return;  // what it achieved came first
    Socket& socket = *find(op.fd);
    if (op.verb() == Verb::receive && !socket.inbox.empty()) return look_at(socket);  // delivered first
    const bool partly = op.verb() == Verb::send && socket.sent > 0;
    end(socket, op, partly ? static_cast<std::int32_t>(socket.sent) : -ECANCELED);
}

std::size_t MemoryBackend::dispatch(std::size_t budget) noexcept {
    if (held_) return 0;
    const std::uint64_t before = statistics_.completions;
    for (std::size_t left = std::min(budget, finished_.size()); left > 0; --left) {
        const Finished next = finished_.front();
        finished_.pop_front();
        io::Completion completion{next.result, false, {}};
        --operations_;
        complete(*next.op, completion);
    }
    for (std::size_t left = std::min(budget, ready_.size()); left > 0; --left) {
        Socket* const socket = find(ready_.front());
        ready_.pop_front();
        if (!socket) continue;
        socket->queued = false;
        serve(*socket);
    }
    if (statistics_.completions != before) idle_ = false;
    return static_cast<std::size_t>(statistics_.completions - before);
}

// One completion handed over at most: its handler may close the socket.
void MemoryBackend::serve(Socket& socket) noexcept {
    if (socket.writer && socket.writer->verb() == Verb::send) {
        auto& send = static_cast<io::SendOp&>(*socket.writer);
        std::size_t size = 0;
        for (std::uint32_t i = 0; i < send.part_count; ++i) size += send.parts[i].iov_len;
        if (socket.other) socket.sent += give(socket, {send.parts, send.part_count}, socket.sent);
        if (socket.sent == size) {
            end(socket, send, static_cast<std::int32_t>(size));
        } else if (!socket.other) {
            end(socket, send, -ECONNRESET);
        }
    }
    Op* const op = socket.reader;
    if (!op) return;
    if (op->verb() == Verb::accept) {
        if (socket.waiting.empty()) return;
        const int fd = socket.waiting.front();
        socket.waiting.pop_front();
        look_at(socket);
        io::Completion completion{fd, true, {}};
        complete(*op, completion);
    } else if (socket.reset) {
        socket.inbox.clear();
        end(socket, *op, -ECONNRESET);
    } else if (!socket.inbox.empty()) {
        const std::size_t size = std::min(socket.inbox.size(), receive_size);
        io::Completion completion{static_cast<std::int32_t>(size), true, Buffer::copy_of({socket.inbox.data(), size})};
        socket.inbox.erase(0, size);
        if (op->cancel_requested()) end(socket, *op, -ECANCELED);
        look_at(socket);
        if (socket.other) look_at(*socket.other);  // there is room again
        complete(*op, completion);
    } else if (socket.ended) {
        end(socket, *op, 0);
    }
}

void MemoryBackend::finish(Op& op, std::int32_t result) noexcept {
    slot_of(op) = this;
    finished_.push_back({&op, result});
}

void MemoryBackend::end(Socket& socket, Op& op, std::int32_t result) noexcept {
    if (socket.reader == &op) socket.reader = nullptr;
    if (socket.writer == &op) socket.writer = nullptr;
    std::erase(attempts_, socket.fd);
    finish(op, result);
}

void MemoryBackend::look_at(Socket& socket) noexcept {
    if (!socket.queued) {
        socket.queued = true;
        ready_.push_back(socket.fd);
    }
}

// The test's side

std::vector<MemoryBackend::Attempt> MemoryBackend::attempts() const {
    std::vector<Attempt> list;
    for (const int fd : attempts_) {
        list.push_back({fd, static_cast<const io::ConnectOp*>(find(fd)->writer)->address});
    }
    return list;
}

bool MemoryBackend::establish(int attempt) {
    Socket& client = *find(attempt);
    Op& connect = *client.writer;
    const Address to = static_cast<io::ConnectOp&>(connect).address;
    Socket* const where = listener(to);
    if (!where) return false;
    if (!client.bound) {
        client.local = *Address::from_host(to.domain() == AF_INET6 ? "::1" : "127.0.0.1", next_port_++);
        client.bound = true;
    }
    Socket& server = add(client.domain);
    server.local = client.peer = to;
    server.peer = client.local;
    join(client, server);
    where->waiting.push_back(server.fd);
    look_at(*where);
    end(client, connect, 0);
    return true;
}

void MemoryBackend::refuse(int attempt, int error) noexcept {
    Socket& socket = *find(attempt);
    end(socket, *socket.writer, -error);
}

std::pair<int, int> MemoryBackend::connected_pair(const Address& a, const Address& b) {
    Socket& first = add(a.domain());
    Socket& second = add(b.domain());
    first.local = second.peer = a;
    second.local = first.peer = b;
    join(first, second);
    return {first.fd, second.fd};
}

void MemoryBackend::join(Socket& a, Socket& b) noexcept {
    a.other = &b;
    b.other = &a;
    a.joined = b.joined = true;
}

const std::vector<Address>* MemoryBackend::look_up(std::string_view name) const {
    const auto known = names_.find(name);
    if (known != names_.end()) return &known->second;
    const std::string number = std::to_string(1 + names_.size() % 254);
    return &names_.emplace(name, std::vector{*Address::from_host("192.0.2." + number, 0)}).first->second;
}

// Sockets

MemoryBackend::Socket* MemoryBackend::find(int fd) const noexcept {
    const auto found = sockets_.find(fd);
    return found == sockets_.end() ? nullptr : found->second.get();
}

MemoryBackend::Socket& MemoryBackend::add(int domain) {
    const int fd = next_descriptor_++;
    return *sockets_.emplace(fd, std::make_unique<Socket>(fd, domain)).first->second;
}

bool MemoryBackend::taken(const Address& address) const noexcept {
    return std::any_of(sockets_.begin(), sockets_.end(), [&](const auto& each) {
        const Socket& socket = *each.second;
        return socket.bound && socket.local.port() == address.port()
               && (is_any(socket.local) || is_any(address) || socket.local == address);
    });
}

MemoryBackend::Socket* MemoryBackend::listener(const Address& to) const noexcept {
    for (const auto& [fd, socket] : sockets_) {
        if (!socket->listening || socket->local.port() != to.port()) continue;
        if (is_any(socket->local) || socket->local == to) return socket.get();
    }
    return nullptr;
}

int MemoryBackend::open_socket(int domain, int type) noexcept {
    return type == SOCK_STREAM ? add(domain).fd : -ESOCKTNOSUPPORT;
}

int MemoryBackend::bind(int fd, const Address& address) noexcept {
    Socket* const socket = find(fd);
    if (!socket) return -EBADF;
    Address wanted = address;
    if (wanted.is_ip()) {
        if (wanted.port() == 0) wanted.set_port(next_port_++);
        if (taken(wanted)) return -EADDRINUSE;
    }
    socket->local = wanted;
    socket->bound = true;
    return 0;
}

int MemoryBackend::listen(int fd, int) noexcept {
    Socket* const socket = find(fd);
    if (!socket) return -EBADF;
    socket->listening = true;
    return 0;
}

int MemoryBackend::local_address(int fd, Address& address) noexcept {
    const Socket* const socket = find(fd);
    if (!socket) return -EBADF;
    address = socket->local;
    return 0;
}

int MemoryBackend::peer_address(int fd, Address& address) noexcept {
    const Socket* const socket = find(fd);
    if (!socket) return -EBADF;
    if (!socket->joined) return -ENOTCONN;
    address = socket->peer;
    return 0;
}

int MemoryBackend::set_option(int fd, int level, int name, const void* value, socklen_t size) noexcept {
    Socket* const socket = find(fd);
    if (!socket) return -EBADF;
    socket->options[{level, name}].assign(static_cast<const char*>(value), size);
    return 0;
}

int MemoryBackend::get_option(int fd, int level, int name, void* value, socklen_t size) noexcept {
    Socket* const socket = find(fd);
    if (!socket) return -EBADF;
    std::memset(value, 0, size);
    if (const auto found = socket->options.find({level, name}); found != socket->options.end()) {
        std::memcpy(value, found->second.data(), std::min<std::size_t>(size, found->second.size()));
    }
    return 0;
}

int MemoryBackend::shutdown(int fd, int how) noexcept {
    Socket* const socket = find(fd);
    if (!socket) return -EBADF;
    if (!socket->joined) return -ENOTCONN;
    if (how == SHUT_RD) return 0;
    socket->shut = true;
    if (socket->other) {
        socket->other->ended = true;
        look_at(*socket->other);
    }
    return 0;
}

void MemoryBackend::close(int fd) noexcept {
    Socket* const socket = find(fd);
    LARIAT_CHECK(socket, "close() of a descriptor that is not open");
    LARIAT_CHECK(!socket->reader && !socket->writer, "a descriptor was closed with an operation in flight");
    if (Socket* const other = socket->other) {
        linger lingering{};
        get_option(fd, SOL_SOCKET, SO_LINGER, &lingering, sizeof lingering);
        // As TCP: what nobody has read, or wants to wait for, ends the connection with a reset.
        other->reset = !socket->inbox.empty() || (lingering.l_onoff != 0 && lingering.l_linger == 0);
        other->ended = true;
        other->other = nullptr;
        look_at(*other);
    }
    for (const int each : std::exchange(socket->waiting, {})) close(each);
    sockets_.erase(fd);
}

int MemoryBackend::adopt(int fd) noexcept { return find(fd) ? 0 : -EBADF; }

std::ptrdiff_t MemoryBackend::try_send(int fd, std::span<const iovec> parts) noexcept {
    ++statistics_.sends;
    Socket* const socket = find(fd);
    if (!socket) return -EBADF;
    if (socket->reset) return -ECONNRESET;
    if (!socket->joined || socket->shut) return -EPIPE;
    const std::size_t sent = give(*socket, parts, 0);
    if (sent > 0 || parts.empty()) return static_cast<std::ptrdiff_t>(sent);
    ++statistics_.sends_refused;
    return -EAGAIN;
}

// The bytes of `parts` behind the first `skip`, as far as the far end has room; how many it took.
std::size_t MemoryBackend::give(Socket& socket, std::span<const iovec> parts, std::size_t skip) noexcept {
    std::size_t given = 0;
    for (const iovec& part : parts) {
        const std::size_t skipped = std::min(skip, part.iov_len);
        skip -= skipped;
        std::size_t size = part.iov_len - skipped;
        if (socket.other) {
            size = std::min(size, socket.other->room());
            socket.other->inbox.append(static_cast<const char*>(part.iov_base) + skipped, size);
        }
        given += size;
    }
    if (given == 0) return 0;
    if (!socket.other) socket.reset = true;  // nobody is there any more, and says so
    look_at(socket.other ? *socket.other : socket);
    return given;
}

int MemoryBackend::try_accept(int fd) noexcept {
    Socket* const socket = find(fd);
    if (!socket) return -EBADF;
    if (socket->waiting.empty()) return -EAGAIN;
    const int accepted = socket->waiting.front();
    socket->waiting.pop_front();
    return accepted;
}

}  // namespace lariat::testing
