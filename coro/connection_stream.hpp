// SPDX-License-Identifier: MIT
// ConnectionStream: the StreamCore over a Connection of the runtime. Not for users.
//
// Threads: the reactor's.
#pragma once

#include <lariat/coro/stream_core.hpp>
#include <lariat/runtime/connection.hpp>
#include <lariat/runtime/ready.hpp>

#include <cstddef>

namespace lariat::detail {

class SpawnedRoots;

class ConnectionStream final : public StreamCore, private ConnectionUser, private Ready {
public:
    /// Takes a connected socket that the reactor's backend already cares for, and turns Nagle's algorithm off.
    static StreamCore* create(Reactor& reactor, int fd) { return new ConnectionStream(reactor, fd); }

    void write(Bytes bytes) override { connection_->write(bytes); }
    void write(Buffer&& data) override { connection_->write(std::move(data)); }
    [[nodiscard]] std::size_t queued() const noexcept override { return connection_ ? connection_->queued() : 0; }
    [[nodiscard]] Address local_address() const noexcept override;
    [[nodiscard]] Address peer_address() const noexcept override;

private:
    ConnectionStream(Reactor& reactor, int fd);

    void read_on() noexcept override { connection_->start_reading(); }
    void read_no_further() noexcept override { connection_->pause_reading(); }
    void end_writing() noexcept override { connection_->shutdown_write(); }
    void begin_close() noexcept override { connection_->close(); }
    void begin_abort() noexcept override { connection_->abort(); }
    /// A shutdown of the reactor waits for what was written.
    void outlive_owner() noexcept override;
    void keep_loan() noexcept override;

    void received(Buffer data) override { take_in(std::move(data), true); }
    void ended() override { peer_ended(); }
    void drained() override { wake_drained(); }
    void closed(int error) override;

    static void loan_is_due(Ready& ready) noexcept { static_cast<ConnectionStream&>(ready).return_loan(); }

    Connection* connection_;           // null once closed
    SpawnedRoots* lingers_ = nullptr;  // the owner is gone; only what was written is still to leave
};

}  // namespace lariat::detail
