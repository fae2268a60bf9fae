// SPDX-License-Identifier: MIT
#include "load.hpp"

#include "../process.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

namespace lariat::bench {
namespace {

constexpr timeval silence_limit{10, 0};
// Small answers are fetched several at a time. Large ones are not: they would fill the receive buffer.
constexpr std::size_t small_message_bytes = 1024;
constexpr std::size_t small_answers_per_receive = 4;

[[noreturn]] void fail(const std::string& what, int error) {
    throw BenchError("load: " + what + (error != 0 ? std::string(": ") + std::strerror(error) : std::string()));
}

int connect_to(std::uint16_t port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("socket", errno);
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence_limit, sizeof silence_limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &silence_limit, sizeof silence_limit);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
        const int error = errno;
        close(fd);
        fail("connect", error);
    }
    return fd;
}

/// Receives exactly `length` bytes; with MSG_TRUNC the kernel drops them instead of copying.
void receive_exactly(int fd, char* into, std::size_t length, int flags) {
    for (std::size_t got = 0; got < length;) {
        char* const place = (flags & MSG_TRUNC) != 0 ? nullptr : into + got;
        const ssize_t n = recv(fd, place, length - got, flags | MSG_WAITALL);
        if (n > 0) {
            got += static_cast<std::size_t>(n);
        } else if (n == 0) {
            fail("the server closed a connection", 0);
        } else if (errno == EAGAIN) {
            fail("no answer for 10 s", 0);
        } else if (errno != EINTR) {
            fail("receive", errno);
        }
    }
}

}  // namespace

EchoLoad::EchoLoad(std::uint16_t port, std::size_t connections, std::size_t message_bytes)
    : message_(message_bytes),
      answer_(message_bytes),
      unread_(connections),
      answers_per_receive_(message_bytes <= small_message_bytes ? small_answers_per_receive : 1) {
    fds_.reserve(connections);
    try {
        for (std::size_t i = 0; i < connections; ++i) fds_.push_back(connect_to(port));
    } catch (...) {
        for (int fd : fds_) close(fd);
        throw;
    }
}

EchoLoad::~EchoLoad() {
    for (int fd : fds_) close(fd);
}

void EchoLoad::fill(std::size_t connection, std::uint64_t salt) {
    // A multiplicative generator per connection: a byte that belongs to another connection or place does not fit.
    std::uint64_t state = (connection + 1) * 0x9E3779B97F4A7C15u + salt * 0xD1B54A32D192ED03u;
    for (char& c : message_) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        c = static_cast<char>(state >> 56);
    }
}

void EchoLoad::verify() {
    const std::uint64_t salt = ++verifications_;
    for (std::size_t i = 0; i < fds_.size(); ++i) {
        fill(i, salt);
        send_message(fds_[i]);
    }
    for (std::size_t i = 0; i < fds_.size(); ++i) {
        receive_exactly(fds_[i], answer_.data(), answer_.size(), 0);
        fill(i, salt);
        if (answer_ != message_) fail("connection " + std::to_string(i) + " echoed other bytes than it was sent", 0);
    }
}

void EchoLoad::send_message(int fd) {
    for (std::size_t sent = 0; sent < message_.size();) {
        const ssize_t n = send(fd, message_.data() + sent, message_.size() - sent, MSG_NOSIGNAL);
        if (n >= 0)
            sent += static_cast<std::size_t>(n);
        else if (errno != EINTR)
            fail("send", errno);
    }
}

void EchoLoad::receive_answers(std::size_t connection) {
    receive_exactly(fds_[connection], nullptr, unread_[connection] * message_.size(), MSG_TRUNC);
    unread_[connection] = 0;
}

void EchoLoad::send_next(std::size_t connection) {
    send_message(fds_[connection]);
    ++unread_[connection];
    ++messages_;
}

void EchoLoad::exchange(std::size_t first, std::size_t last, std::size_t pass) {
    if (first == last) return;
    // The last answer first: while this sleeps the server works through the rest of the half undisturbed, and as
    // servers answer in order of arrival the others have their answers too.
    receive_answers(last - 1);
    for (std::size_t i = first; i + 1 < last; ++i) {
        if ((pass + i) % answers_per_receive_ == 0) receive_answers(i);
        send_next(i);
    }
    send_next(last - 1);
}

LoadWindow EchoLoad::run(std::uint64_t duration_ns) {
    const std::uint64_t cpu_before = thread_cpu_ns();
    const std::uint64_t start = monotonic_ns();
    const std::size_t count = fds_.size();
    const std::size_t middle = (count + 1) / 2;
    messages_ = 0;
    for (std::size_t i = 0; i < count; ++i) send_next(i);
    for (std::size_t pass = 0; monotonic_ns() - start < duration_ns; ++pass) {
        exchange(0, middle, pass);
        exchange(middle, count, pass);
    }
    for (std::size_t i = 0; i < count; ++i) receive_answers(i);
    return {messages_, monotonic_ns() - start, thread_cpu_ns() - cpu_before};
}

}  // namespace lariat::bench
