// SPDX-License-Identifier: MIT
#include <lariat/io/sim/sim_backend.hpp>

#include <lariat/io/base/assert.hpp>
#include <lariat/io/sim/datagrams.hpp>
#include <lariat/io/sim/host.hpp>
#include <lariat/io/sim/node.hpp>
#include <lariat/io/sim/program.hpp>
#include <lariat/io/sim/socket.hpp>
#include <lariat/io/sim/stream.hpp>
#include <lariat/io/sim/world.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <poll.h>
#include <utility>

namespace lariat::sim {

using io::Completion;
using io::Op;
using io::Verb;

namespace {

// What a turn of the loop takes, and how long a program that waits needs to notice; in nanoseconds.
constexpr std::uint64_t shortest_turn = 200, longest_turn = 2000;

// Files are always ready and cannot be sent or received on, as on a kernel.
std::int32_t result_without_socket(const Op& op, bool is_file) noexcept {
    if (!is_file) return -EBADF;
    if (op.verb() != Verb::poll) return -ENOTSOCK;
    return static_cast<std::int32_t>(static_cast<const io::PollOp&>(op).events & (POLLIN | POLLOUT));
}

Node& node_of(Program* program, const std::shared_ptr<World>& world) {
    return program ? program->node() : world->hosts().front()->node();
}

}  // namespace

SimBackend::SimBackend(std::shared_ptr<World> owned, Node& node, Program* program, const io::BackendOptions& options)
    : owned_(std::move(owned)),
      node_(node),
      world_(node.host().world()),
      program_(program),
      pool_(&io::BufferPool::create(options.receive_buffer_size(), options.receive_buffers())),
      wake_(*this),
      signal_(!node.alive() ? SIGKILL
              : program     ? program->signal()
                            : 0) {
    world_.own(*this);
    node_.all_backends().push_back(this);
}

SimBackend::SimBackend(const io::BackendOptions& options)
    : SimBackend(Program::current() ? nullptr : World::standalone(), Program::current(), options) {}

SimBackend::SimBackend(std::shared_ptr<World> owned, Program* program, const io::BackendOptions& options)
    : SimBackend(owned, node_of(program, owned), program, options) {}

SimBackend::SimBackend(Host& host, const io::BackendOptions& options)
    : SimBackend(nullptr, host.node(), nullptr, options) {}

SimBackend::~SimBackend() {
    LARIAT_CHECK(operations_ == 0, "a backend was destroyed while operations are in flight");
    node_.close_all(*this);  // as a kernel does when a process ends
    std::erase(node_.all_backends(), this);
    unlink();  // before the World can go
}

// Waiting

void SimBackend::wait(TimePoint deadline) noexcept {
    ++statistics_.waits;
    LARIAT_CHECK(program_ == Program::current(), "a Reactor on a simulated host belongs to the program that made it");
    waiting_ = true;
    runs_ = false;
    if (has_completions() || woken_.exchange(false) || signal_ != 0 || deadline <= now()) {
        run_soon();
    } else if (deadline != never) {
        world_.timers().arm(wake_, node_.host().world_time(deadline));
    }
    while (!runs_) {
        if (program_) {
            program_->stop();
        } else if (!world_.step()) {
            world_.sleep_for_real();
        }
    }
    waiting_ = false;
}

void SimBackend::Wake::fired(Timer& timer) noexcept {
    SimBackend& self = static_cast<Wake&>(timer).backend;
    self.runs_ = true;
    if (self.program_) self.program_->resume();
}

void SimBackend::run_soon() noexcept {
    const TimePoint when = world_.now() + Duration(world_.random().between(shortest_turn, longest_turn));
    if (!wake_.is_armed() || wake_.deadline() > when) world_.timers().arm(wake_, when);
}

void SimBackend::wake() noexcept {
    woken_.store(true);
    world_.woken();
}

void SimBackend::look_at_wake() noexcept {
    if (waiting_ && woken_.exchange(false)) run_soon();
}

void SimBackend::raise(int signal) noexcept {
    signal_ = signal;
    wake();
}

void SimBackend::look_at(Socket& socket) noexcept {
    if (socket.queued || (!socket.reader && !socket.writer && !socket.polls)) return;
    socket.queued = true;
    ready_.push_back(&socket);
    if (waiting_) run_soon();
}

// Operations

void SimBackend::submit(Op& op) noexcept {
    LARIAT_CHECK(!op.in_flight(), "an operation was submitted twice");
    set_state(op, OpState::in_kernel);
    slot_of(op) = nullptr;
    next_of(op) = nullptr;
    ++operations_;
    ++statistics_.submissions;
    if (op.verb() == Verb::file) return start_file(static_cast<io::FileOp&>(op));
    Socket* socket = node_.socket(op.fd);
    if (!socket) return finish(op, result_without_socket(op, node_.file(op.fd) != nullptr));
    switch (op.verb()) {
    case Verb::receive:
    case Verb::receive_from:
    case Verb::accept:
        LARIAT_CHECK(!socket->reader, "only one receive or accept at a time can be in flight on a descriptor");
        socket->reader = &op;
        break;
    case Verb::connect:
    case Verb::send:
        LARIAT_CHECK(!socket->writer, "only one connect or send at a time can be in flight on a descriptor");
        socket->writer = &op;
        socket->sent = 0;
        if (op.verb() == Verb::connect) {
            const int result = socket->connect(static_cast<io::ConnectOp&>(op).address);
            if (result != -EINPROGRESS) {
                socket->writer = nullptr;
                return finish(op, result);
            }
        }
        break;
    case Verb::poll:
        next_of(op) = socket->polls;
        socket->polls = &op;
        break;
    case Verb::file: break;
    }
    if (op.verb() == Verb::send || op.verb() == Verb::poll || socket->has_something_to_read()) look_at(*socket);
}

void SimBackend::cancel(Op& op) noexcept {
    if (!op.in_flight() || op.cancel_requested()) return;
    set_state(op, OpState::cancelling);
    if (slot_of(op) == this) return;  // what it achieved came first
    if (op.verb() == Verb::file) return cancel_file(static_cast<io::FileOp&>(op));
    Socket& socket = *node_.socket(op.fd);
    // What has come already is delivered first.
    if (socket.reader == &op && socket.has_something_to_read()) return look_at(socket);
    std::int32_t result = -ECANCELED;
    if (op.verb() == Verb::send && socket.sent > 0) result = static_cast<std::int32_t>(socket.sent);
    if (op.verb() == Verb::connect) {
        if (const int connected = socket.connect_result(); connected != -EINPROGRESS) result = connected;
    }
    detach(socket, op);
    finish(op, result);
}

std::size_t SimBackend::dispatch(std::size_t budget) noexcept {
    std::size_t done = 0;
    while (done < budget) {
        if (!finished_.empty()) {
            const Finished next = finished_.front();
            finished_.pop_front();
            if (next.op->verb() == Verb::file) count_file(static_cast<io::FileOp&>(*next.op), next.result);
            Completion completion{next.result, false, {}};
            --operations_;
            complete(*next.op, completion);
            ++done;
        } else if (Socket* socket = pick()) {
            done += run(*socket);
        } else {
            break;
        }
    }
    return done;
}

// Which of the sockets something has happened to is served first is drawn.
Socket* SimBackend::pick() noexcept {
    while (!ready_.empty()) {
        const std::size_t index = ready_.size() == 1 ? 0 : world_.random().below(ready_.size());
        Socket* socket = std::exchange(ready_[index], ready_.back());
        ready_.pop_back();
        if (!socket) continue;
        socket->queued = false;
        return socket;
    }
    return nullptr;
}

// One completion at most: its handler may close the socket.
std::size_t SimBackend::run(Socket& socket) noexcept {
    if (Op* op = socket.reader) {
        const std::size_t done = op->verb() == Verb::receive ? run_receive(socket, *op)
                                 : op->verb() == Verb::accept
                                     ? run_accept(socket, *op)
                                     : run_receive_from(socket, static_cast<io::ReceiveFromOp&>(*op));
        if (done > 0) return done;
    }
    if (Op* op = socket.writer) {
        const std::size_t done =
            op->verb() == Verb::send ? run_send(socket, static_cast<io::SendOp&>(*op)) : run_connect(socket, *op);
        if (done > 0) return done;
    }
    take_polls(socket);
    return 0;
}

std::size_t SimBackend::run_receive(Socket& socket, Op& op) noexcept {
    Completion completion{0, true, {}};
    std::size_t size = socket.readable();
    if (size == 0) {
        const auto result = static_cast<std::int32_t>(socket.receive(nullptr, 0));
        if (result != -EAGAIN) return end(socket, op, result);
        return op.cancel_requested() ? end(socket, op, -ECANCELED) : 0;
    }
    io::Chunk& chunk = make_chunk(pool_->chunk_size());
    size = std::min<std::size_t>(size, chunk.capacity);
    if (world_.random().chance(world_.short_transfers())) size = world_.random().between(1, size);
    socket.receive(chunk.data, size);
    completion.result = static_cast<std::int32_t>(size);
    completion.buffer = Buffer(chunk, 0, size);
    if (op.cancel_requested()) {
        detach(socket, op);
        finish(op, -ECANCELED);
    }
    look_at(socket);  // there may be more, for this operation or another one
    complete(op, completion);
    return 1;
}

// A chunk of the pool where those are large enough and one is left.
io::Chunk& SimBackend::make_chunk(std::size_t size) {
    io::Chunk* chunk = size <= pool_->chunk_size() ? pool_->acquire() : nullptr;
    if (chunk) return *chunk;
    ++statistics_.pool_exhausted;
    return io::allocate_chunk(size);
}

std::size_t SimBackend::run_receive_from(Socket& socket, io::ReceiveFromOp& op) noexcept {
    if (!socket.datagrams()) return end(socket, op, -EOPNOTSUPP);
    Datagram datagram;
    const int result = socket.datagrams()->receive(datagram);
    if (result == -EAGAIN) return op.cancel_requested() ? end(socket, op, -ECANCELED) : 0;
    op.from = datagram.from;
    op.truncated = datagram.bytes.size() > io::ReceiveFromOp::most_bytes;
    if (op.truncated) datagram.bytes.truncate(io::ReceiveFromOp::most_bytes);
    Completion completion{result < 0 ? result : static_cast<std::int32_t>(datagram.bytes.size()), true, {}};
    if (datagram.bytes) {
        io::Chunk& chunk = make_chunk(datagram.bytes.size());
        completion.buffer = Buffer(chunk, 0, datagram.bytes.size());
        std::memcpy(chunk.data, datagram.bytes.data(), datagram.bytes.size());
    }
    if (op.cancel_requested()) {
        detach(socket, op);
        finish(op, -ECANCELED);
    }
    look_at(socket);
    complete(op, completion);
    return 1;
}

std::size_t SimBackend::run_accept(Socket& socket, Op& op) noexcept {
    if (!socket.has_waiting()) {
        if (!socket.is_listening()) return end(socket, op, -EINVAL);
        return op.cancel_requested() ? end(socket, op, -ECANCELED) : 0;
    }
    const int fd = accept_now(socket);
    if (fd < 0) return end(socket, op, fd);
    if (op.cancel_requested()) {
        detach(socket, op);
        finish(op, -ECANCELED);
    }
    look_at(socket);
    Completion completion{fd, true, {}};
    complete(op, completion);
    return 1;
}

std::size_t SimBackend::run_connect(Socket& socket, Op& op) noexcept {
    const int result = socket.connect_result();
    return result == -EINPROGRESS ? 0 : end(socket, op, result);
}

std::size_t SimBackend::run_send(Socket& socket, io::SendOp& op) noexcept {
    std::size_t skip = socket.sent;
    iovec rest[io::SendOp::max_parts];
    std::size_t count = 0;
    for (std::uint32_t i = 0; i < op.part_count; ++i) {
        const std::size_t skipped = std::min(skip, op.parts[i].iov_len);
        skip -= skipped;
        if (skipped == op.parts[i].iov_len) continue;
        rest[count++] = {static_cast<char*>(op.parts[i].iov_base) + skipped, op.parts[i].iov_len - skipped};
    }
    std::size_t left = 0;
    for (std::size_t i = 0; i < count; ++i) left += rest[i].iov_len;
    const std::ptrdiff_t sent = left == 0 ? 0 : socket.send({rest, count});
    if (sent > 0) socket.sent += static_cast<std::size_t>(sent);
    if (sent == static_cast<std::ptrdiff_t>(left)) return end(socket, op, static_cast<std::int32_t>(socket.sent));
    if (sent >= 0 || sent == -EAGAIN) return 0;
    return end(socket, op,
               static_cast<std::int32_t>(socket.sent > 0 ? static_cast<std::ptrdiff_t>(socket.sent) : sent));
}

void SimBackend::take_polls(Socket& socket) noexcept {
    if (!socket.polls) return;
    const std::uint32_t present = socket.poll_events();
    for (Op* op = socket.polls; op;) {
        Op* next = next_of(*op);
        const std::uint32_t wanted = static_cast<io::PollOp*>(op)->events | POLLERR | POLLHUP;
        if (const std::uint32_t events = present & wanted) {
            detach(socket, *op);
            finish(*op, static_cast<std::int32_t>(events));
        }
        op = next;
    }
}

void SimBackend::detach(Socket& socket, Op& op) noexcept {
    if (socket.reader == &op) {
        socket.reader = nullptr;
    } else if (socket.writer == &op) {
        socket.writer = nullptr;
    } else {
        Op** link = &socket.polls;
        while (*link && *link != &op) link = &next_of(**link);
        if (*link) *link = next_of(op);
    }
}

// The result is known; the handler runs in its turn.
void SimBackend::finish(Op& op, std::int32_t result) noexcept {
    slot_of(op) = this;
    finished_.push_back({&op, result});
    if (waiting_) run_soon();
}

std::size_t SimBackend::end(Socket& socket, Op& op, std::int32_t result) noexcept {
    detach(socket, op);
    look_at(socket);
    Completion completion{result, false, {}};
    --operations_;
    complete(op, completion);
    return 1;
}

// Sockets

int SimBackend::open_socket(int domain, int type) noexcept {
    if (domain != AF_INET && domain != AF_INET6 && domain != AF_UNIX) return -EAFNOSUPPORT;
    type &= ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (type != SOCK_STREAM && type != SOCK_DGRAM) return -ESOCKTNOSUPPORT;
    if (node_.full()) return -EMFILE;
    ++descriptors_;
    return node_.add(std::make_unique<Socket>(node_, *this, domain, type));
}

int SimBackend::accept_now(Socket& listener) {
    if (node_.full()) return -EMFILE;
    End& end = *listener.take_waiting();
    const int fd = node_.add(std::make_unique<Socket>(node_, *this, listener.domain(), SOCK_STREAM));
    node_.socket(fd)->attach(end, listener);
    ++descriptors_;
    return fd;
}

int SimBackend::try_accept(int fd) noexcept {
    Socket* socket = node_.socket(fd);
    if (!socket) return -EBADF;
    if (!socket->is_listening()) return -EINVAL;
    return socket->has_waiting() ? accept_now(*socket) : -EAGAIN;
}

void SimBackend::close(int fd) noexcept {
    LARIAT_CHECK(descriptors_ > 0, "close() of a descriptor that this backend did not open, accept or adopt");
    --descriptors_;
    if (node_.close_file(fd)) return;
    const std::unique_ptr<Socket> socket = node_.remove(fd);
    LARIAT_CHECK(!socket->reader && !socket->writer && !socket->polls,
                 "a descriptor was closed with an operation in flight");
    if (socket->queued) std::replace(ready_.begin(), ready_.end(), socket.get(), static_cast<Socket*>(nullptr));
}

int SimBackend::adopt(int fd) noexcept {
    Socket* socket = node_.socket(fd);
    if (!socket) return -EBADF;
    socket->backend = this;
    ++descriptors_;
    return 0;
}

std::ptrdiff_t SimBackend::try_send(int fd, std::span<const iovec> parts) noexcept {
    ++statistics_.sends;
    Socket* socket = node_.socket(fd);
    if (!socket) return -EBADF;
    const std::ptrdiff_t sent = socket->send(parts);
    if (sent == -EAGAIN) ++statistics_.sends_refused;
    return sent;
}

std::ptrdiff_t SimBackend::try_send_to(int fd, std::span<const iovec> parts, const Address& to) noexcept {
    ++statistics_.sends;
    Socket* socket = node_.socket(fd);
    if (!socket) return -EBADF;
    if (!socket->datagrams()) return -EOPNOTSUPP;
    const std::ptrdiff_t sent = socket->datagrams()->send(parts, to);
    if (sent == -EAGAIN) ++statistics_.sends_refused;
    return sent;
}

int SimBackend::connect(int fd, const Address& to) noexcept {
    Socket* socket = node_.socket(fd);
    if (!socket) return -EBADF;
    return socket->datagrams() ? socket->connect(to) : -EOPNOTSUPP;
}

int SimBackend::bind(int fd, const Address& address) noexcept {
    Socket* socket = node_.socket(fd);
    return socket ? socket->bind(address) : -EBADF;
}

int SimBackend::listen(int fd, int backlog) noexcept {
    Socket* socket = node_.socket(fd);
    return socket ? socket->listen(backlog) : -EBADF;
}

int SimBackend::local_address(int fd, Address& address) noexcept {
    const Socket* socket = node_.socket(fd);
    if (!socket) return -EBADF;
    address = socket->local_address();
    return 0;
}

int SimBackend::peer_address(int fd, Address& address) noexcept {
    const Socket* socket = node_.socket(fd);
    return socket ? socket->peer_address(address) : -EBADF;
}

int SimBackend::set_option(int fd, int level, int name, const void* value, socklen_t size) noexcept {
    Socket* socket = node_.socket(fd);
    return socket ? socket->set_option(level, name, value, size) : -EBADF;
}

int SimBackend::get_option(int fd, int level, int name, void* value, socklen_t size) noexcept {
    Socket* socket = node_.socket(fd);
    return socket ? socket->get_option(level, name, value, size) : -EBADF;
}

int SimBackend::shutdown(int fd, int how) noexcept {
    Socket* socket = node_.socket(fd);
    return socket ? socket->shutdown(how) : -EBADF;
}

// The rest

TimePoint SimBackend::now() noexcept { return node_.host().clock(); }

std::uint64_t SimBackend::random() noexcept { return node_.host().random().next(); }

io::Ledger SimBackend::ledger() const noexcept { return {operations_, descriptors_, pool_->outstanding()}; }

const std::vector<Address>* SimBackend::look_up(std::string_view name) const {
    return node_.alive() ? world_.look_up(name) : nullptr;
}

Duration SimBackend::draw_delay() noexcept { return std::chrono::microseconds(world_.random().between(20, 2000)); }

}  // namespace lariat::sim
