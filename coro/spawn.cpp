// SPDX-License-Identifier: MIT
#include <lariat/coro/spawn.hpp>

#include <lariat/coro/spawned_roots.hpp>
#include <lariat/coro/task_tree.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/runtime/report.hpp>

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace lariat::detail {

// What a before-shutdown trigger waits for: SystemEvents asks for nothing but add_both().
class SpawnedRoots::Drained {
public:
    explicit Drained(std::shared_ptr<SpawnedRoots> roots) noexcept : roots_(std::move(roots)) {}
    template <class F>
    void add_both(F then) && {
        roots_->when_drained([then]() { then(); });
    }

private:
    std::shared_ptr<SpawnedRoots> roots_;
};

// The trigger. It goes when it has run, and with the reactor when shutdown never came.
class SpawnedRoots::AtShutdown {
public:
    explicit AtShutdown(std::shared_ptr<SpawnedRoots> roots) noexcept : roots_(std::move(roots)) {}
    AtShutdown(AtShutdown&&) noexcept = default;
    ~AtShutdown() {
        if (roots_) roots_->trigger_gone();
    }

    Drained operator()() {
        roots_->shut_down();
        return Drained(roots_);
    }

private:
    std::shared_ptr<SpawnedRoots> roots_;
};

SpawnedRoots& SpawnedRoots::of(Reactor& reactor) {
    static thread_local SpawnedRoots* last = nullptr;
    if (last && &last->reactor() == &reactor && !last->abandoned_ && (last->in_use_ || last->shutting_down_))
        return *last;

    thread_local std::vector<std::shared_ptr<SpawnedRoots>> all;
    std::erase_if(all, [](const std::shared_ptr<SpawnedRoots>& known) { return known->is_idle(); });
    last = nullptr;
    for (const std::shared_ptr<SpawnedRoots>& known : all) {
        if (!known->abandoned_ && &known->reactor() == &reactor) last = known.get();
    }
    if (!last) last = all.emplace_back(std::make_shared<SpawnedRoots>(reactor)).get();
    last->use();
    return *last;
}

void SpawnedRoots::use() {
    if (in_use_ || shutting_down_) return;
    in_use_ = true;
    reactor().add_system_event_trigger(Phase::before, "shutdown", AtShutdown(shared_from_this()));
}

void SpawnedRoots::shut_down() noexcept {
    shutting_down_ = true;
    cancel_roots(CancelReason::shutdown);
}

void SpawnedRoots::when_drained(Function<void()> then) {
    drained_ = std::move(then);
    if (has_roots()) arm_limit();
    end_if_drained();
}

void SpawnedRoots::root_ended(TaskRoot&) noexcept { end_if_drained(); }

void SpawnedRoots::remove_lingering() noexcept {
    --lingering_;
    end_if_drained();
}

void SpawnedRoots::end_if_drained() noexcept {
    if (!drained_ || has_roots()) return;
    if (lingering_ == 0) {
        end_shutdown();
    } else if (!std::exchange(only_lingers_, true)) {
        limit_.disarm();
        arm_limit();
    }
}

void SpawnedRoots::arm_limit() noexcept {
    reactor().timers().arm(limit_, saturating_add(reactor().now(), shutdown_limit));
}

void SpawnedRoots::limit_passed(Timer& timer) noexcept {
    SpawnedRoots& self = static_cast<Limit&>(timer).roots;
    if (!self.has_roots()) return self.end_shutdown();
    guarded("while reporting", [&self] {
        log(LogLevel::warn, "task", "the shutdown waits for tasks that do not end: " + dump_tasks(self.reactor()));
    });
}

void SpawnedRoots::end_shutdown() noexcept {
    limit_.disarm();
    shutting_down_ = only_lingers_ = false;
    forget_cancellation();
    std::exchange(drained_, {})();
}

void SpawnedRoots::trigger_gone() noexcept {
    in_use_ = false;
    if (shutting_down_ || !has_roots()) return;
    log(LogLevel::error, "task", "spawned tasks had not ended when their reactor was destroyed; they never will");
    abandoned_ = true;
    // Their frames stay for good: a started Task is never destroyed before its end. Kept in sight of leak checkers.
    static std::mutex mutex;
    static auto& first = *new std::shared_ptr<SpawnedRoots>;
    const std::lock_guard lock(mutex);
    next_abandoned_ = std::move(first);
    first = shared_from_this();
}

RootOwner& spawned_roots(Reactor& reactor) { return SpawnedRoots::of(reactor); }

}  // namespace lariat::detail
