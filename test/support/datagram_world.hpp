// SPDX-License-Identifier: MIT
// What the tests of datagrams in the layer io share.
#pragma once

#include <lariat/test/support/io_world.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace lariat::test {

inline Address loopback_of(int domain) { return domain == AF_INET6 ? Address("[::1]:0") : Address::loopback(0); }

/// A name of the abstract namespace that nobody else has.
inline Address unused_unix_address() {
    static int count = 0;
    return Address("unix:@lariat-test-" + std::to_string(::getpid()) + "-" + std::to_string(++count));
}

/// A socket of datagrams, bound to a port of its own, and what has come for it.
class Station {
public:
    explicit Station(World& world, const Address& local = Address::loopback(0)) : Station(world, local, {}) {}
    /// `options` of SOL_SOCKET are switched on first.
    Station(World& world, const Address& local, const std::vector<int>& options)
        : fd(world.open(local.domain(), SOCK_DGRAM)), receive(world, fd), world_(world) {
        REQUIRE(fd >= 0);
        for (const int option : options) set(SOL_SOCKET, option, 1);
        REQUIRE(world->bind(fd, local) == 0);
        address = world.address_of(fd);
        receive.then = [this](io::Completion& completion) {
            if (completion.result < 0) return;
            const std::string text = receive.bytes.substr(taken_);
            taken_ = receive.bytes.size();
            texts.push_back(text);
            senders.push_back(receive.op.from.str());
            truncated.push_back(receive.op.truncated);
            if (then) then();
        };
    }

    std::ptrdiff_t send(std::string_view text, const Address& to) {
        const iovec part{const_cast<char*>(text.data()), text.size()};
        return world_->try_send_to(fd, {&part, 1}, to);
    }
    void set(int level, int name, int value) {
        REQUIRE(world_->set_option(fd, level, name, &value, sizeof value) == 0);
    }
    /// Waits for `count` in all.
    void wait_for(std::size_t count) {
        world_.pump_until([&] { return texts.size() >= count; });
    }
    /// In an order that does not depend on the network's.
    [[nodiscard]] std::vector<std::string> sorted() const {
        std::vector<std::string> all = texts;
        std::sort(all.begin(), all.end());
        return all;
    }

    int fd;
    Address address;
    Recorded<io::ReceiveFromOp> receive;
    std::vector<std::string> texts;
    std::vector<std::string> senders;
    std::vector<bool> truncated;
    Function<void()> then;  ///< runs in the handler, after the recording

private:
    World& world_;
    std::size_t taken_ = 0;
};

}  // namespace lariat::test
