// SPDX-License-Identifier: MIT
#include <lariat/proto/reconnecting.hpp>

#include <lariat/io/base/log.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/runtime/reactor.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

namespace lariat {
namespace {

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

/// Above 0, at most 1.
double uniform(Reactor& reactor) { return static_cast<double>((reactor.backend().random() >> 11) + 1) * 0x1p-53; }

/// Normally distributed, by Box and Muller.
double normal(Reactor& reactor, double mean, double deviation) {
    const double radius = std::sqrt(-2 * std::log(uniform(reactor)));
    return mean + deviation * radius * std::cos(2 * std::numbers::pi * uniform(reactor));
}

}  // namespace

void ReconnectingClientFactory::client_connection_failed(Connector& connector, const Failure&) {
    if (continue_trying_) retry(connector);
}

void ReconnectingClientFactory::client_connection_lost(Connector& connector, const Failure&) {
    if (continue_trying_) retry(connector);
}

void ReconnectingClientFactory::retry() {
    const std::shared_ptr<Connector> connector = connector_.lock();
    if (!connector && continue_trying_) throw UsageError("no connector to retry");
    if (connector) retry(*connector);
}

void ReconnectingClientFactory::retry(Connector& connector) {
    if (!continue_trying_) {
        if (noisy())
            log(LogLevel::info, log_prefix(), "Abandoning " + connector.destination().str() + " on explicit request");
        return;
    }
    connector_ = connector.weak_from_this();
    ++retries_;
    if (max_retries_ && retries_ > *max_retries_) {
        if (noisy()) {
            log(LogLevel::info, log_prefix(),
                "Abandoning " + connector.destination().str() + " after " + std::to_string(retries_) + " retries.");
        }
        return;
    }
    delay_ = next_delay(connector);
    if (noisy()) {
        log(LogLevel::info, log_prefix(),
            connector.destination().str() + " will retry in "
                + std::to_string(std::chrono::floor<std::chrono::seconds>(delay_).count()) + " seconds");
    }
    pending_ = connector.reactor().call_later(delay_, [again = connector.shared_from_this()] { again->connect(); });
}

// The jittered value is kept, so that jitter adds up, as in Twisted.
Duration ReconnectingClientFactory::next_delay(Connector& connector) const {
    double next = std::min(seconds(delay_) * factor_, seconds(max_delay_));
    if (jitter_ != 0) next = normal(connector.reactor(), next, next * jitter_);
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(std::max(next, 0.0)));
}

void ReconnectingClientFactory::stop_trying() {
    if (pending_.active()) pending_.cancel();
    continue_trying_ = false;
    const std::shared_ptr<Connector> connector = connector_.lock();
    if (connector && connector->state() == Connector::State::connecting) connector->stop_connecting();
}

void ReconnectingClientFactory::reset_delay() noexcept {
    delay_ = initial_delay_;
    retries_ = 0;
    pending_ = DelayedCall();
    continue_trying_ = true;
}

}  // namespace lariat
