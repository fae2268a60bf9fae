// SPDX-License-Identifier: MIT
// What is logged while a test runs: CapturedLogs (Twisted: EventLoggingObserver) keeps every event, LoggedErrors counts
// the errors that nobody expected (trial: flushLoggedErrors).
#pragma once

#include <lariat/io/base/log.hpp>
#include <lariat/runtime/failure.hpp>

#include <cstddef>
#include <mutex>
#include <string>
#include <vector>

namespace lariat::testing {

using EventLoggingObserver = CapturedLogs;

/// Watches the log while it lives: keeps the events of level error and above, and hands every other one on to the sink
/// before it. A CapturedLogs inside its life takes its events away from it: what a test captures it expects.
///
/// Threads: events may come from any thread; its own functions belong to one.
class LoggedErrors {
public:
    struct Event {
        std::string system;
        std::string text;
        Failure failure;  ///< empty when the event reports no exception
    };

    LoggedErrors();
    LoggedErrors(const LoggedErrors&) = delete;
    LoggedErrors& operator=(const LoggedErrors&) = delete;
    ~LoggedErrors();

    /// Takes out and returns the errors whose exception is one of the classes E, or derived from one; all errors when
    /// no class is given.
    template <class... E>
    std::vector<Event> flush() {
        if constexpr (sizeof...(E) == 0) {
            return take([](const Event&) { return true; });
        } else {
            return take([](const Event& event) { return event.failure.template check<E...>(); });
        }
    }
    /// How many have been logged and not flushed.
    [[nodiscard]] std::size_t count() const;

private:
    void hand_on(const LogEvent& event);
    std::vector<Event> take(bool (*wanted)(const Event&));

    mutable std::mutex mutex_;
    std::vector<Event> events_;
    LogSink before_;
};

}  // namespace lariat::testing
