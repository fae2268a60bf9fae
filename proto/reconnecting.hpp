// SPDX-License-Identifier: MIT
// ReconnectingClientFactory: connects again after each failure and loss, waiting longer each time.
//
// Threads: the reactor's.
#pragma once

#include <lariat/io/base/clock.hpp>
#include <lariat/proto/connector.hpp>
#include <lariat/proto/factory.hpp>
#include <lariat/runtime/delayed_call.hpp>

#include <memory>
#include <optional>

namespace lariat {

/// A ClientFactory with exponential back-off (Twisted: protocol.ReconnectingClientFactory, with its numbers).
///
/// The factor applies before the first wait, which is therefore about 2.7 s, not initial_delay(). Nothing resets the
/// delay by itself: call reset_delay() once a connection has proved useful, for example in build_protocol().
class ReconnectingClientFactory : public ClientFactory {
public:
    /// Retries unless stop_trying() was called; what overrides these must call them.
    void client_connection_failed(Connector& connector, const Failure& reason) override;
    void client_connection_lost(Connector& connector, const Failure& reason) override;

    /// Lets `connector` connect again after delay(), made longer and jittered first. Gives up, with a log line, when
    /// max_retries() are used up or stop_trying() was called.
    void retry(Connector& connector);
    /// The same for the connector that failed or was lost last. Errors: UsageError when there is none any more.
    void retry();
    /// Takes back the retry that is pending, stops an attempt that is under way, and retries no more.
    void stop_trying();
    /// Back to initial_delay() and no retries, and trying goes on.
    void reset_delay() noexcept;

    /// What the last wait was computed from; the next is this times factor().
    [[nodiscard]] Duration delay() const noexcept { return delay_; }
    [[nodiscard]] unsigned retries() const noexcept { return retries_; }
    [[nodiscard]] bool continue_trying() const noexcept { return continue_trying_; }

    [[nodiscard]] Duration initial_delay() const noexcept { return initial_delay_; }
    [[nodiscard]] Duration max_delay() const noexcept { return max_delay_; }
    [[nodiscard]] double factor() const noexcept { return factor_; }
    /// The standard deviation of the waits, relative to them; 0 for none.
    [[nodiscard]] double jitter() const noexcept { return jitter_; }
    [[nodiscard]] std::optional<unsigned> max_retries() const noexcept { return max_retries_; }

    /// Also restarts from it.
    void set_initial_delay(Duration delay) noexcept { initial_delay_ = delay_ = delay; }
    void set_max_delay(Duration delay) noexcept { max_delay_ = delay; }
    void set_factor(double factor) noexcept { factor_ = factor; }
    void set_jitter(double jitter) noexcept { jitter_ = jitter; }
    void set_max_retries(std::optional<unsigned> count) noexcept { max_retries_ = count; }

private:
    [[nodiscard]] Duration next_delay(Connector& connector) const;

    Duration initial_delay_ = std::chrono::seconds(1);
    Duration max_delay_ = std::chrono::hours(1);
    double factor_ = 2.7182818284590451;
    double jitter_ = 0.119626565582;  // Planck's molar constant in Js, says Twisted's documentation
    std::optional<unsigned> max_retries_;
    Duration delay_ = std::chrono::seconds(1);
    unsigned retries_ = 0;
    bool continue_trying_ = true;
    DelayedCall pending_;                 // holds the connector meanwhile
    std::weak_ptr<Connector> connector_;  // weak, as it holds this factory
};

}  // namespace lariat
