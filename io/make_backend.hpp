// SPDX-License-Identifier: MIT
// Choosing a backend at run time: by code, by LARIAT_BACKEND, or the best one this kernel allows; and whether its run
// is recorded or replayed, by LARIAT_RECORD and LARIAT_REPLAY.
#pragma once

#include <lariat/io/backend.hpp>
#include <lariat/io/kernel_backend.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace lariat::io {

enum class BackendKind : std::uint8_t {
    automatic,  ///< uring, or epoll with one warning in the log that says why
    uring,
    epoll,
    sim,     ///< a network of this process alone, with virtual time; see io/sim/world.hpp
    replay,  ///< the run in the file that LARIAT_REPLAY names; see io/record/replay_backend.hpp
};

/// "uring", "epoll", "sim", "replay" or "auto"; nothing for other names.
std::optional<BackendKind> backend_kind(std::string_view name) noexcept;

/// What LARIAT_BACKEND says, `automatic` when it is unset or empty. Errors: UsageError naming an unknown value and the
/// known ones.
BackendKind backend_kind_from_environment();

/// Why io_uring cannot be used here, in one line that names the cause (old kernel, seccomp, sysctl, memlock, ...) and
/// its errno; nothing when it can. Takes about 0.1 ms: it sets a ring up and moves bytes through it.
std::optional<std::string> why_no_uring();

/// A backend of the kind asked for. `automatic` falls back to epoll and logs one warning saying why, once in a
/// process. A kind that was asked for by name is used without a word. In a program of a simulated host it is always
/// that host's network, whatever was asked for.
///
/// LARIAT_RECORD=FILE records what is made here, whatever it is: the first backend of the process to FILE, the next
/// ones to FILE.1, FILE.2 and so on; "%p" in FILE is the process's id. LARIAT_REPLAY=FILE replays them in the same
/// order, whatever was asked for. Both together record the replay. Errors: UsageError when `uring` was asked for and
/// cannot be had, `replay` without LARIAT_REPLAY, or a recording that cannot be read or may not be overwritten; Error
/// when not even epoll can be had, or no file be written.
std::unique_ptr<Backend> make_backend(BackendKind kind, const BackendOptions& options = {});

}  // namespace lariat::io
