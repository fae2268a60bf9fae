// SPDX-License-Identifier: MIT
// Two connected Connections on one reactor, each with a user that writes down what it is told.
#pragma once

#include <lariat/runtime/acceptor.hpp>
#include <lariat/runtime/connect_attempt.hpp>
#include <lariat/runtime/connection.hpp>
#include <lariat/runtime/reactor.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

namespace lariat::test {

/// Records every call. `log` has one word per call: "data", "end", "drained", "closed:ERROR".
class RecordingUser final : public ConnectionUser {
public:
    RecordingUser() = default;
    RecordingUser(const RecordingUser&) = delete;
    RecordingUser& operator=(const RecordingUser&) = delete;
    ~RecordingUser() {
        if (!connection) return;
        connection->abort();
        connection->forget_user();
    }

    void received(Buffer data) override {
        text += data.text();
        log.push_back("data");
        if (keep) kept.push_back(std::move(data));
        if (on_data) on_data();
    }
    void ended() override {
        log.push_back("end");
        if (on_end) on_end();
    }
    void drained() override {
        ++drained_count;
        if (on_drained) on_drained();
    }
    void closed(int error) override {
        log.push_back("closed:" + std::to_string(error));
        connection = nullptr;
        is_closed = true;
        error_ = error;
    }
    [[nodiscard]] int error() const noexcept { return error_; }

    std::string text;
    std::vector<std::string> log;
    std::vector<Buffer> kept;
    Function<void()> on_data, on_end, on_drained;
    Connection* connection = nullptr;
    int drained_count = 0;
    bool keep = false;
    bool is_closed = false;

private:
    int error_ = -1;
};

/// A reactor with a listening socket, and pairs of connections between it and itself.
class ConnectionWorld {
public:
    explicit ConnectionWorld(io::BackendKind kind, const io::BackendOptions& options = {})
        : ConnectionWorld(io::make_backend(kind, options)) {}
    explicit ConnectionWorld(std::unique_ptr<io::Backend> backend)
        : reactor(std::move(backend)),
          acceptor(
              reactor, [this](int fd) { accepted.push_back(fd); }, [this](int error) { errors.push_back(error); }) {
        REQUIRE(acceptor.listen(Address::loopback(0), ListenOptions().backlog(1024)) == 0);
        acceptor.start();
    }
    ~ConnectionWorld() {
        for (int fd : accepted) reactor.backend().close(fd);
        bool closed = !acceptor.is_open();
        if (!closed) acceptor.close([&closed] { closed = true; });
        turn_until([&] { return closed && reactor.backend().ledger().descriptors == 0; });
        const io::Ledger left = reactor.backend().ledger();
        CHECK(left.operations == 0);
        CHECK(left.descriptors == 0);
        CHECK(left.buffers == 0);
        CHECK(reactor.transmit_pool().outstanding() == 0);
    }

    template <class Condition>
    void turn_until(Condition condition) {
        const TimePoint end = reactor.now() + std::chrono::seconds(20);
        while (!condition()) {
            REQUIRE_MESSAGE(reactor.now() < end, "the condition did not come true within 20 seconds");
            reactor.iterate(std::chrono::milliseconds(5));
        }
    }
    /// Long enough for what was sent to arrive; on a simulated network that takes time.
    void turns(int count) {
        const Duration delay = reactor.backend().name() == "sim" ? std::chrono::milliseconds(1) : Duration::zero();
        for (int i = 0; i < count; ++i) reactor.iterate(delay);
    }

    /// Connects; `near` is the connecting end, `far` the accepted one. Neither reads yet.
    void connect(RecordingUser& near, RecordingUser& far) {
        ConnectAttempt attempt;
        int connected = 0;
        REQUIRE(attempt.start(reactor, acceptor.local_address(), std::nullopt, [&](int fd) { connected = fd; }) == 0);
        turn_until([&] { return connected != 0 && !accepted.empty(); });
        REQUIRE(connected > 0);
        near.connection = &Connection::create(reactor, connected, near);
        far.connection = &Connection::create(reactor, accepted.back(), far);
        accepted.pop_back();
    }

    Reactor reactor;
    std::vector<int> accepted;
    std::vector<int> errors;
    Acceptor acceptor;
};

}  // namespace lariat::test
