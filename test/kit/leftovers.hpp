// SPDX-License-Identifier: MIT
// What a test has left on its reactor. A part of TestRun; not for users.
#pragma once

#include <lariat/coro/task.hpp>
#include <lariat/proto/connector.hpp>
#include <lariat/proto/port.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/runtime/tcp_observer.hpp>

#include <memory>
#include <string>
#include <vector>

namespace lariat::testing::detail {

class Leftovers final : private TcpObserver {
public:
    /// Notes what is there already. Lifetime: must not outlive the reactor.
    explicit Leftovers(Reactor& reactor);
    ~Leftovers() { reactor_.set_tcp_observer(nullptr); }
    Leftovers(const Leftovers&) = delete;
    Leftovers& operator=(const Leftovers&) = delete;

    /// One line for each thing that has been left, from a task of the reactor that is the oldest and does not count.
    /// First lets end what is ending: calls without a delay are made, sockets that are closing may take 100 ms.
    Task<std::vector<std::string>> find();

private:
    void connecting(Connector& connector) override;
    void listening(Port& port) override;

    [[nodiscard]] std::vector<std::string> delayed_calls() const;
    [[nodiscard]] std::vector<std::string> sockets() const;
    [[nodiscard]] std::vector<std::string> coroutines() const;

    Reactor& reactor_;
    std::vector<std::weak_ptr<Connector>> connectors_;
    std::vector<std::weak_ptr<Port>> ports_;
    std::vector<std::string> known_coroutines_;  // that wait since before the test
};

}  // namespace lariat::testing::detail
