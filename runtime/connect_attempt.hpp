// SPDX-License-Identifier: MIT
// ConnectAttempt: one try to connect one socket to one address.
//
// Threads: the reactor's.
#pragma once

#include <lariat/io/address.hpp>
#include <lariat/io/base/function.hpp>

#include <optional>

namespace lariat {

class Reactor;

class ConnectAttempt {
public:
    /// Gets the connected descriptor, which is then its own to close through the backend, or a negative errno.
    using Done = Function<void(int result)>;

    ConnectAttempt() noexcept = default;
    ConnectAttempt(ConnectAttempt&& other) noexcept;
    ConnectAttempt& operator=(ConnectAttempt&& other) noexcept;
    /// Cancels.
    ~ConnectAttempt();

    /// Begins to connect to `to`, from `from` if given. `done` is called once, from the loop, never from inside
    /// start(); with -ECANCELED when the reactor shuts down meanwhile. Returns 0, or the negative errno of why the
    /// socket could not be made or bound (then `done` is not called); `bind_failed`, when given, tells the two apart.
    int start(Reactor& reactor, const Address& to, const std::optional<Address>& from, Done done,
              bool* bind_failed = nullptr);
    /// Gives up: `done` is not called any more. A connection that is being made is closed when the kernel lets go of
    /// it.
    void cancel() noexcept;
    [[nodiscard]] bool is_active() const noexcept { return core_ != nullptr; }

private:
    struct Core;  // owns the operation until its completion

    Core* core_ = nullptr;
};

}  // namespace lariat
