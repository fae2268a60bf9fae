// SPDX-License-Identifier: MIT
// What tests of UdpSocket share: its verbs as Tasks of text, and time for datagrams to arrive.
#pragma once

#include <lariat/coro/udp_socket.hpp>
#include <lariat/test/support/coro_world.hpp>

#include <string>
#include <utility>

namespace lariat::test {

inline const Address loopback = Address::loopback(0);

inline Task<std::string> receive_text(UdpSocket& socket) {
    const Datagram datagram = co_await socket.receive_from();
    co_return datagram.data.str();
}
inline Task<std::string> receive_text_soon(UdpSocket& socket) {
    const Datagram datagram = co_await socket.receive_from().within(std::chrono::milliseconds(1));
    co_return datagram.data.str();
}
inline Task<std::string> send_text_to(UdpSocket& socket, std::string text, Address to) {
    co_await socket.send_to(text, to);
    co_return "sent";
}
inline Task<std::string> send_text(UdpSocket& socket, std::string text) {
    co_await socket.send(text);
    co_return "sent";
}
inline Task<std::string> ending_of(Task<std::string> task) {
    std::string outcome;
    co_await record(outcome, std::move(task));
    co_return outcome;
}
template <class F>
std::string text_thrown_by(F function) {
    try {
        function();
    } catch (const Error& error) {
        return error.what();
    }
    return "nothing thrown";
}

inline Task<> exchange_some() {
    UdpSocket a(loopback), b(loopback);
    for (int i = 0; i < 8; ++i) {
        co_await a.send_to("time", b.local_address());
        co_await b.receive_from();
        std::swap(a, b);
    }
}
/// Lets what was sent arrive, and what that has brought back: on a simulated network time must pass.
inline Task<> let_arrive() {
    co_await exchange_some();
    co_await settle();
}

inline bool is_simulated() { return Reactor::current()->backend().name() == "sim"; }

}  // namespace lariat::test
