// SPDX-License-Identifier: MIT
#include <lariat/io/base/log.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <utility>

namespace lariat {
namespace {

constexpr std::array<std::string_view, 5> level_names{"debug", "info", "warn", "error", "critical"};

struct Sink {
    std::mutex mutex;
    LogSink custom;
};

Sink& sink() {
    static Sink* const instance = new Sink;  // never destroyed: threads may log while the process exits
    return *instance;
}

LogLevel level_from_environment() noexcept {
    const char* wanted = std::getenv("LARIAT_LOG");
    for (std::size_t i = 0; wanted && i < level_names.size(); ++i) {
        if (level_names[i] == wanted) return static_cast<LogLevel>(i);
    }
    return LogLevel::warn;
}

void write_to_stderr(const LogEvent& event) noexcept {
    static const LogLevel threshold = level_from_environment();
    if (event.level < threshold) return;
    std::fprintf(stderr, "lariat: [%.*s] %.*s\n", static_cast<int>(event.system.size()), event.system.data(),
                 static_cast<int>(event.text.size()), event.text.data());
}

}  // namespace

std::string_view to_string(LogLevel level) noexcept { return level_names[static_cast<std::size_t>(level)]; }

void log(LogLevel level, std::string_view system, std::string_view text, const std::exception_ptr& error) noexcept try {
    const LogEvent event{level, system, text, error};
    std::lock_guard lock(sink().mutex);
    if (sink().custom) {
        sink().custom(event);
    } else {
        write_to_stderr(event);
    }
} catch (...) {
    // A sink that throws loses its event; the program must not.
}

LogSink set_log_sink(LogSink replacement) {
    std::lock_guard lock(sink().mutex);
    return std::exchange(sink().custom, std::move(replacement));
}

CapturedLogs::CapturedLogs()
    : previous_(set_log_sink([this](const LogEvent& event) {
          events_.push_back({event.level, std::string(event.system), std::string(event.text), event.error});
      })) {}

CapturedLogs::~CapturedLogs() { set_log_sink(std::move(previous_)); }

std::size_t CapturedLogs::count(std::string_view part) const noexcept {
    std::size_t found = 0;
    for (const Event& event : events_) found += event.text.find(part) != std::string::npos;
    return found;
}

}  // namespace lariat
