// SPDX-License-Identifier: MIT
#include <lariat/io/make_backend.hpp>

#include <lariat/io/base/error.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/io/epoll/epoll_backend.hpp>
#include <lariat/io/record/record_backend.hpp>
#include <lariat/io/record/replay_backend.hpp>
#include <lariat/io/sim/host.hpp>
#include <lariat/io/sim/sim_backend.hpp>
#include <lariat/io/uring/uring_backend.hpp>

#include <atomic>
#include <cstdlib>
#include <unistd.h>
#include <utility>

namespace lariat::io {
namespace {

std::unique_ptr<Backend> make_unrecorded(BackendKind kind, const BackendOptions& options) {
    if (kind == BackendKind::sim || sim::Host::current()) return std::make_unique<sim::SimBackend>(options);
    if (kind == BackendKind::epoll) return std::make_unique<EpollBackend>(options);
    std::string why;
    if (auto backend = UringBackend::create(options, why)) return backend;
    if (kind == BackendKind::uring) throw UsageError("io_uring is not available (" + why + ")");
    static std::atomic<bool> said = false;  // a program with a reactor on each core says it once
    if (!said.exchange(true)) log(LogLevel::warn, "io", "using epoll: io_uring is not available (" + why + ")");
    return std::make_unique<EpollBackend>(options);
}

/// Null when `variable` is unset or empty.
const char* file_from_environment(const char* variable) noexcept {
    const char* const file = std::getenv(variable);
    return file && *file != '\0' ? file : nullptr;
}

std::string numbered(std::string file, std::uint32_t number) {
    return number == 0 ? file : file + "." + std::to_string(number);
}

/// `file` with this process's id in place of "%p".
std::string for_this_process(std::string file) {
    const std::size_t place = file.find("%p");
    return place == std::string::npos ? file : file.replace(place, 2, std::to_string(::getpid()));
}

}  // namespace

std::optional<BackendKind> backend_kind(std::string_view name) noexcept {
    if (name == "auto") return BackendKind::automatic;
    if (name == "uring") return BackendKind::uring;
    if (name == "epoll") return BackendKind::epoll;
    if (name == "sim") return BackendKind::sim;
    if (name == "replay") return BackendKind::replay;
    return std::nullopt;
}

BackendKind backend_kind_from_environment() {
    const char* name = std::getenv("LARIAT_BACKEND");
    if (!name || *name == '\0') return BackendKind::automatic;
    if (const std::optional<BackendKind> kind = backend_kind(name)) return *kind;
    throw UsageError("LARIAT_BACKEND is '" + std::string(name) + "'; known are auto, uring, epoll, sim and replay");
}

std::optional<std::string> why_no_uring() {
    std::string why;
    const BackendOptions small = BackendOptions().submission_entries(8).completion_entries(16).receive_buffers(4);
    if (UringBackend::create(small, why)) return std::nullopt;
    return why;
}

std::unique_ptr<Backend> make_backend(BackendKind kind, const BackendOptions& options) {
    const char* const record = file_from_environment("LARIAT_RECORD");
    const char* const replay = file_from_environment("LARIAT_REPLAY");
    if (kind == BackendKind::replay && !replay) {
        throw UsageError("the backend 'replay' needs LARIAT_REPLAY, which names the file of a recording; LARIAT_RECORD"
                         " makes one");
    }
    if (!record && !replay) return make_unrecorded(kind, options);
    static std::atomic<std::uint32_t> made = 0;
    const std::uint32_t number = made++;
    std::unique_ptr<Backend> backend;
    if (replay) {
        backend = std::make_unique<ReplayBackend>(numbered(replay, number), options, number);
    } else {
        backend = make_unrecorded(kind, options);
    }
    if (!record) return backend;
    return std::make_unique<RecordBackend>(std::move(backend), numbered(for_this_process(record), number), number);
}

}  // namespace lariat::io
