// SPDX-License-Identifier: MIT
// Log events: one process-wide sink that anyone may replace. Callable from any thread.
#pragma once

#include <lariat/io/base/function.hpp>

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace lariat {

enum class LogLevel : std::uint8_t { debug, info, warn, error, critical };

/// "debug", "info", "warn", "error" or "critical".
std::string_view to_string(LogLevel level) noexcept;

/// One log event. `system` names who speaks ("reactor", a protocol's log prefix).
struct LogEvent {
    LogLevel level;
    std::string_view system;
    std::string_view text;
    std::exception_ptr error{};  ///< what went wrong, when the event reports an exception
};

/// Receives every event. It may be called from any thread, one call at a time, and must not log itself.
using LogSink = Function<void(const LogEvent&)>;

/// Sends an event to the sink. Never throws; an event that cannot be delivered is dropped.
void log(LogLevel level, std::string_view system, std::string_view text,
         const std::exception_ptr& error = nullptr) noexcept;

/// Replaces the sink and returns the one before. An empty sink restores the default: lines on stderr for events at or
/// above the level that `LARIAT_LOG` names, `warn` when it is unset.
LogSink set_log_sink(LogSink sink);

/// Collects events while it lives, for tests and for programs that show their own log.
class CapturedLogs {
public:
    struct Event {
        LogLevel level;
        std::string system;
        std::string text;
        std::exception_ptr error{};
    };

    CapturedLogs();
    CapturedLogs(const CapturedLogs&) = delete;
    CapturedLogs& operator=(const CapturedLogs&) = delete;
    ~CapturedLogs();

    [[nodiscard]] const std::vector<Event>& events() const noexcept { return events_; }
    /// How many captured events contain `part`.
    [[nodiscard]] std::size_t count(std::string_view part) const noexcept;
    void clear() noexcept { events_.clear(); }

private:
    std::vector<Event> events_;
    LogSink previous_;
};

}  // namespace lariat
