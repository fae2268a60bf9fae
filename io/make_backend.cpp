// SPDX-License-Identifier: MIT
#include <lariat/io/make_backend.hpp>

#include <lariat/io/base/error.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/io/epoll/epoll_backend.hpp>
#include <lariat/io/sim/host.hpp>
#include <lariat/io/sim/sim_backend.hpp>
#include <lariat/io/uring/uring_backend.hpp>

#include <atomic>
#include <cstdlib>

namespace lariat::io {

std::optional<BackendKind> backend_kind(std::string_view name) noexcept {
    if (name == "auto") return BackendKind::automatic;
    if (name == "uring") return BackendKind::uring;
    if (name == "epoll") return BackendKind::epoll;
    if (name == "sim") return BackendKind::sim;
    return std::nullopt;
}

BackendKind backend_kind_from_environment() {
    const char* name = std::getenv("LARIAT_BACKEND");
    if (!name || *name == '\0') return BackendKind::automatic;
    if (const std::optional<BackendKind> kind = backend_kind(name)) return *kind;
    throw UsageError("LARIAT_BACKEND is '" + std::string(name) + "'; known are auto, uring, epoll and sim");
}

std::optional<std::string> why_no_uring() {
    std::string why;
    const BackendOptions small = BackendOptions().submission_entries(8).completion_entries(16).receive_buffers(4);
    if (UringBackend::create(small, why)) return std::nullopt;
    return why;
}

std::unique_ptr<Backend> make_backend(BackendKind kind, const BackendOptions& options) {
    if (kind == BackendKind::sim || sim::Host::current()) return std::make_unique<sim::SimBackend>(options);
    if (kind == BackendKind::epoll) return std::make_unique<EpollBackend>(options);
    std::string why;
    if (auto backend = UringBackend::create(options, why)) return backend;
    if (kind == BackendKind::uring) throw UsageError("io_uring is not available (" + why + ")");
    static std::atomic<bool> said = false;  // a program with a reactor on each core says it once
    if (!said.exchange(true)) log(LogLevel::warn, "io", "using epoll: io_uring is not available (" + why + ")");
    return std::make_unique<EpollBackend>(options);
}

}  // namespace lariat::io
