// SPDX-License-Identifier: MIT
// What is logged from other threads while a test waits for it.
#pragma once

#include <lariat/io/base/log.hpp>

#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace lariat::test {

/// What is logged, by whatever thread, and a way to wait for it.
class WatchedLogs {
public:
    WatchedLogs() {
        before_ = set_log_sink([this](const LogEvent& event) {
            const std::lock_guard lock(mutex_);
            text_.append(event.text).append("\n");
            changed_.notify_all();
        });
    }
    ~WatchedLogs() { set_log_sink(std::move(before_)); }

    void wait_for(std::string_view part) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return text_.find(part) != text_.npos; });
    }
    std::string text() {
        const std::lock_guard lock(mutex_);
        return text_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::string text_;
    LogSink before_;
};

}  // namespace lariat::test
