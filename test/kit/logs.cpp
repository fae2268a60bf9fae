// SPDX-License-Identifier: MIT
#include <lariat/testing/logs.hpp>

#include <cstdio>
#include <utility>

namespace lariat::testing {

LoggedErrors::LoggedErrors() {
    before_ = set_log_sink({});  // before it is used by what takes its place
    set_log_sink([this](const LogEvent& event) {
        if (event.level < LogLevel::error) {
            hand_on(event);
            return;
        }
        const std::lock_guard lock(mutex_);
        events_.push_back(
            {std::string(event.system), std::string(event.text), event.error ? Failure(event.error) : Failure()});
    });
}

LoggedErrors::~LoggedErrors() { set_log_sink(std::move(before_)); }

void LoggedErrors::hand_on(const LogEvent& event) {
    if (before_) {
        before_(event);
    } else if (event.level >= LogLevel::warn) {  // as without any sink
        std::fprintf(stderr, "lariat: [%s] %s\n", std::string(event.system).c_str(), std::string(event.text).c_str());
    }
}

std::vector<LoggedErrors::Event> LoggedErrors::take(bool (*wanted)(const Event&)) {
    const std::lock_guard lock(mutex_);
    std::vector<Event> taken, left;
    for (Event& event : events_) (wanted(event) ? taken : left).push_back(std::move(event));
    events_ = std::move(left);
    return taken;
}

std::size_t LoggedErrors::count() const {
    const std::lock_guard lock(mutex_);
    return events_.size();
}

}  // namespace lariat::testing
