// SPDX-License-Identifier: MIT
#include <lariat/coro/task_scope.hpp>

namespace lariat {

void TaskScope::cancel(CancelReason reason) noexcept {
    if (!is_cancelled()) cancel_called_ = true;
    cancel_roots(reason);
}

void TaskScope::root_ended(detail::TaskRoot& root) noexcept {
    if (root.has_failed()) failed(root);
    if (&root != body_) {
        --tasks_;
        serve_spawns();
    }
    if (waiting_ && !has_roots()) std::exchange(waiting_, nullptr)->ended();
}

void TaskScope::check_limit(std::size_t limit) {
    if (limit == 0) throw UsageError("spawn_when_below(0) would wait for ever");
}

void TaskScope::serve_spawns() noexcept {
    while (!spawns_.empty() && has_room(spawns_.front<detail::SpawnWait>().limit())) {
        ++promised_;
        spawns_.serve_front();
    }
}

bool detail::SpawnWait::begin() noexcept {
    if (!scope_.spawns_.empty() || !scope_.has_room(limit_)) {
        scope_.spawns_.push(*this);
        return false;
    }
    ++scope_.promised_;
    return true;
}

// Those behind may have a higher limit.
bool detail::SpawnWait::withdraw() noexcept {
    QueuedWait::withdraw();
    scope_.serve_spawns();
    return true;
}

void TaskScope::failed(detail::TaskRoot& root) noexcept {
    root.set_observed();
    if (policy_ == ScopePolicy::keep_going && &root != body_) {
        root.log_failure("its scope goes on");
        return;
    }
    if (failure_) {
        root.log_failure("its scope is ending because of an earlier failure");
        return;
    }
    failure_ = root.failure();
    cancel_roots(CancelReason::scope_exit);
}

}  // namespace lariat
