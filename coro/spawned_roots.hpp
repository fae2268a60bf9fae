// SPDX-License-Identifier: MIT
// SpawnedRoots: the tasks spawned on one reactor that belong to no scope, and the streams that still send what their
// owners wrote. When the reactor shuts down it cancels the tasks and holds the shutdown until they have ended and,
// within a limit, the streams have sent everything. Not for users.
//
// Threads: the reactor's.
#pragma once

#include <lariat/coro/task_root.hpp>
#include <lariat/io/base/clock.hpp>
#include <lariat/io/base/function.hpp>
#include <lariat/io/base/timer_queue.hpp>

#include <chrono>
#include <cstddef>
#include <memory>

namespace lariat::detail {

class SpawnedRoots final : public RootOwner, public std::enable_shared_from_this<SpawnedRoots> {
public:
    using RootOwner::RootOwner;

    /// The one of `reactor`, which the calling thread runs or is about to run.
    static SpawnedRoots& of(Reactor& reactor);

    /// How long the shutdown waits for tasks before it logs which ones, and then for peers that do not take what is
    /// still to be sent before it goes on without them.
    static constexpr Duration shutdown_limit = std::chrono::seconds(5);
    /// Something is to be finished before the reactor shuts down.
    void add_lingering() noexcept { ++lingering_; }
    void remove_lingering() noexcept;

    [[nodiscard]] bool is_shutting_down() const noexcept { return shutting_down_; }

private:
    [[nodiscard]] bool is_idle() noexcept {
        return abandoned_ || (!in_use_ && !shutting_down_ && !has_roots() && lingering_ == 0);
    }

    class AtShutdown;
    class Drained;

    void use();
    void shut_down() noexcept;
    void when_drained(Function<void()> then);
    void end_if_drained() noexcept;
    void end_shutdown() noexcept;
    void arm_limit() noexcept;
    static void limit_passed(Timer& timer) noexcept;
    void trigger_gone() noexcept;
    void root_ended(TaskRoot& root) noexcept override;

    struct Limit : Timer {
        explicit Limit(SpawnedRoots& owner) noexcept : Timer(limit_passed), roots(owner) {}
        SpawnedRoots& roots;
    } limit_{*this};
    Function<void()> drained_;
    std::shared_ptr<SpawnedRoots> next_abandoned_;
    std::size_t lingering_ = 0;
    bool in_use_ = false;  // the reactor will tell of its shutdown, or is doing so
    bool shutting_down_ = false;
    bool only_lingers_ = false;  // all tasks have ended
    bool abandoned_ = false;     // the reactor died under them
};

}  // namespace lariat::detail
