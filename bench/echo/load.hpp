// SPDX-License-Identifier: MIT
// The client side of the echo benchmark: many connections, one message in flight on each, as cheap as the kernel allows
// so that the server is what is measured. No readiness calls: connections are visited in order, in two halves, sleeping
// only for the last answer of a half, so the client wakes once per half and the server always finds work. That answer
// says that the ones before it have arrived, so small answers are fetched a few at a time. Received bytes are counted
// and discarded in the kernel, except in `verify`, which compares every one. One thread at a time; plain blocking
// sockets, nothing of lariat.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lariat::bench {

/// What one window measured on the client's side.
struct LoadWindow {
    std::uint64_t messages = 0;
    std::uint64_t wall_ns = 0;
    std::uint64_t cpu_ns = 0;
};

/// Connections to one echo server on the loopback address.
class EchoLoad {
public:
    EchoLoad(std::uint16_t port, std::size_t connections, std::size_t message_bytes);
    ~EchoLoad();
    EchoLoad(const EchoLoad&) = delete;
    EchoLoad& operator=(const EchoLoad&) = delete;

    /// One round trip on every connection, each with bytes of its own; throws when a single byte differs.
    void verify();
    /// Echoes for `duration_ns`, then collects what is in flight. Throws when a connection ends, fails or stays silent.
    LoadWindow run(std::uint64_t duration_ns);

private:
    void send_message(int fd);
    void receive_answers(std::size_t connection);
    void send_next(std::size_t connection);
    void exchange(std::size_t first, std::size_t last, std::size_t pass);
    void fill(std::size_t connection, std::uint64_t salt);

    std::vector<int> fds_;
    std::vector<char> message_;
    std::vector<char> answer_;
    std::vector<std::size_t> unread_;  // answers sent for and not yet received, by connection
    std::size_t answers_per_receive_;
    std::uint64_t messages_ = 0;
    std::uint64_t verifications_ = 0;
};

}  // namespace lariat::bench
