// SPDX-License-Identifier: MIT
// What the tests of the layer io stand on: a backend with everything a test opens on it, operations that record what
// happens to them, and sockets of the test's own for the far end.
#pragma once

#include <lariat/io/base/function.hpp>
#include <lariat/io/base/unique_fd.hpp>
#include <lariat/io/make_backend.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace lariat::test {

/// A backend and the descriptors a test has on it. The ledger is checked when it ends: operations and buffers must be
/// gone by then, descriptors are closed first.
class World {
public:
    explicit World(io::BackendKind kind, const io::BackendOptions& options = {}) : World(make_backend(kind, options)) {}
    explicit World(std::unique_ptr<io::Backend> backend) : backend_(std::move(backend)) {}
    ~World() {
        while (!descriptors_.empty()) close(*descriptors_.begin());
        const io::Ledger ledger = backend_->ledger();
        CHECK(ledger.operations == 0);
        CHECK(ledger.descriptors == 0);
        CHECK(ledger.buffers == 0);
    }

    io::Backend& operator*() { return *backend_; }
    io::Backend* operator->() { return backend_.get(); }

    /// Turns the loop until `condition()` holds; fails the test when that takes longer than anything should.
    template <class Condition>
    void pump_until(Condition condition) {
        turn_until(condition, std::chrono::milliseconds(200));
    }
    /// The same without waiting, for conditions that play the far end themselves.
    template <class Condition>
    void spin_until(Condition condition) {
        turn_until(condition, Duration::zero());
    }
    /// Turns the loop `turns` times without waiting.
    void pump(int turns) {
        for (int i = 0; i < turns; ++i) {
            backend_->wait(TimePoint::min());
            backend_->dispatch(64);
        }
    }
    /// Waits until completions are there and runs none of them.
    void wait_for_completions() {
        const TimePoint end = backend_->now() + std::chrono::seconds(20);
        while (!backend_->has_completions()) {
            if (backend_->now() >= end) FAIL("no completion came within 20 seconds");
            backend_->wait(end);
        }
    }

    /// Remembers a descriptor that belongs to the backend, to close it at the end.
    int keep(int fd) {
        if (fd >= 0) descriptors_.insert(fd);
        return fd;
    }
    /// Of one that an operation has closed.
    void forget(int fd) { descriptors_.erase(fd); }
    void close(int fd) {
        descriptors_.erase(fd);
        backend_->close(fd);
    }
    int adopt(UniqueFd fd) {
        REQUIRE(backend_->adopt(fd.get()) == 0);
        return keep(fd.release());
    }
    int open(int domain = AF_INET, int type = SOCK_STREAM) { return keep(backend_->open_socket(domain, type)); }
    /// A listening socket on a free port of 127.0.0.1.
    int listen(int backlog = 128) {
        const int fd = open();
        REQUIRE(fd >= 0);
        REQUIRE(backend_->bind(fd, Address::loopback(0)) == 0);
        REQUIRE(backend_->listen(fd, backlog) == 0);
        return fd;
    }
    Address address_of(int fd) {
        Address address;
        REQUIRE(backend_->local_address(fd, address) == 0);
        return address;
    }

private:
    template <class Condition>
    void turn_until(Condition& condition, Duration patience) {
        const TimePoint end = backend_->now() + std::chrono::seconds(20);
        while (!condition()) {
            if (backend_->now() >= end) FAIL("the condition did not come true within 20 seconds");
            backend_->wait(backend_->now() + patience);
            backend_->dispatch(64);
        }
    }

    std::unique_ptr<io::Backend> backend_;
    std::set<int> descriptors_;
};

/// An operation that records its completions. When it dies in flight it is cancelled first.
template <class Operation>
class Recorded {
public:
    Recorded(World& world, int fd) : world_(world) { op.fd = fd; }
    Recorded(const Recorded&) = delete;
    ~Recorded() {
        if (op.in_flight()) cancel_and_wait();
    }

    void submit() {
        over = false;
        world_->submit(op);
    }
    void cancel() { world_->cancel(op); }
    void wait() {
        world_.pump_until([this] { return over; });
    }
    void cancel_and_wait() {
        cancel();
        world_.pump_until([this] { return !op.in_flight(); });
    }
    [[nodiscard]] std::int32_t last() const { return results.empty() ? 1 << 30 : results.back(); }

    Operation op{&Recorded::handle, this};
    std::vector<std::int32_t> results;
    std::string bytes;         ///< all that was received
    std::vector<Buffer> held;  ///< received buffers, when `hold`
    bool hold = false;
    bool over = false;
    Function<void(io::Completion&)> then;  ///< runs in the handler, after the recording

private:
    static void handle(io::Op& op, io::Completion& completion) noexcept {
        auto& self = *static_cast<Recorded*>(op.owner);
        self.results.push_back(completion.result);
        self.over = !completion.more;
        if (op.verb() == io::Verb::accept) self.world_.keep(completion.result);
        if (op.verb() == io::Verb::receive || op.verb() == io::Verb::receive_from) {
            // A receive has a buffer exactly when it has a positive result, and of that size.
            CHECK(completion.buffer.size()
                  == (completion.result > 0 ? static_cast<std::size_t>(completion.result) : 0));
            self.bytes += completion.buffer.text();
            if (self.hold && completion.buffer) self.held.push_back(std::move(completion.buffer));
        }
        if (self.then) self.then(completion);
    }

    World& world_;
};

using Accepting = Recorded<io::AcceptOp>;
using Connecting = Recorded<io::ConnectOp>;
using Receiving = Recorded<io::ReceiveOp>;
using Sending = Recorded<io::SendOp>;
using Polling = Recorded<io::PollOp>;

/// Two ends of a connection, non-blocking and owned by the test.
struct SocketPair {
    UniqueFd ours;
    UniqueFd theirs;
};

/// A connected socket to `where`, or the negative errno.
inline UniqueFd connect_to(const Address& where) {
    UniqueFd fd(::socket(where.domain(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(fd);
    REQUIRE(::connect(fd.get(), where.data(), where.size()) == 0);
    return fd;
}

/// TCP over 127.0.0.1; both ends have a send buffer of about `buffer_size` when it is given. The receive buffers stay
/// as they are: tiny ones make TCP wait for window probes.
inline SocketPair tcp_pair(int buffer_size = 0) {
    UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto shrink = [buffer_size](int fd) {
        if (buffer_size != 0) ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer_size, sizeof buffer_size);
    };
    shrink(listener.get());
    Address at = Address::loopback(0);
    REQUIRE(::bind(listener.get(), at.data(), at.size()) == 0);
    REQUIRE(::listen(listener.get(), 1) == 0);
    sockaddr_storage bound;
    socklen_t size = sizeof bound;
    ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&bound), &size);
    SocketPair pair;
    pair.theirs.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    shrink(pair.theirs.get());
    REQUIRE(::connect(pair.theirs.get(), reinterpret_cast<sockaddr*>(&bound), size) == 0);
    pair.ours.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    REQUIRE(pair.ours);
    return pair;
}

inline SocketPair unix_pair() {
    int fds[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

/// Makes closing `fd` reset its connection instead of ending it in order.
inline void reset_on_close(int fd) {
    const linger at_once{1, 0};
    REQUIRE(::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
}

/// Writes all of `bytes` on the test's own end, which must have room for them.
inline void write_all(int fd, std::string_view bytes) {
    REQUIRE(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
}

/// What the test's own end has to read right now; ends at the end of the stream.
inline std::string read_available(int fd, bool* end = nullptr) {
    std::string all;
    char chunk[4096];
    for (;;) {
        const ssize_t got = ::recv(fd, chunk, sizeof chunk, MSG_DONTWAIT);
        if (end && got == 0) *end = true;
        if (got <= 0) return all;
        all.append(chunk, static_cast<std::size_t>(got));
    }
}

/// Points a send at `text`, in parts of at most `part` bytes.
inline void set_parts(io::SendOp& op, std::string_view text, std::size_t part = ~std::size_t{0}) {
    op.part_count = 0;
    while (!text.empty() && op.part_count < io::SendOp::max_parts) {
        const std::string_view piece = op.part_count + 1 == io::SendOp::max_parts ? text : text.substr(0, part);
        op.parts[op.part_count++] = {const_cast<char*>(piece.data()), piece.size()};
        text.remove_prefix(piece.size());
    }
}

/// Many bytes, different at each place, from a seed.
inline std::string pattern(std::size_t size, std::uint32_t seed = 1) {
    std::string text(size, '\0');
    for (char& byte : text) {
        seed = seed * 1664525u + 1013904223u;
        byte = static_cast<char>(seed >> 24);
    }
    return text;
}

}  // namespace lariat::test
