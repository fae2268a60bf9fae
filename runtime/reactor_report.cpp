// SPDX-License-Identifier: MIT
// Reactor::report(): what a reactor has to do, for a person to read.
#include <lariat/io/base/log.hpp>
#include <lariat/runtime/connection.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/runtime/reactor_impl.hpp>
#include <lariat/runtime/report.hpp>
#include <lariat/runtime/task_report.hpp>

#include <atomic>
#include <cstddef>
#include <string>

namespace lariat {
namespace {

constinit std::atomic<DescribeTasks> describe_tasks{nullptr};

std::string counted(std::size_t count, const char* what) {
    return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

}  // namespace

void set_describe_tasks(DescribeTasks describe) noexcept { describe_tasks.store(describe, std::memory_order_relaxed); }

std::string Reactor::report() {
    std::string text = counted(connections().size(), "connection") + ", "
                       + counted(delayed_calls().size(), "delayed call") + ", "
                       + counted(readers().size() + writers().size(), "watched descriptor") + "\n";
    if (const DescribeTasks describe = describe_tasks.load(std::memory_order_relaxed)) text += describe(*this);
    return text;
}

void Reactor::log_report() noexcept {
    guarded("while reporting", [this] { log(LogLevel::warn, "reactor", "Received SIGUSR1: " + report()); });
}

}  // namespace lariat
