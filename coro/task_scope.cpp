// SPDX-License-Identifier: MIT
#include <lariat/coro/task_scope.hpp>

namespace lariat {

void TaskScope::cancel(CancelReason reason) noexcept {
    if (!is_cancelled()) cancel_called_ = true;
    cancel_roots(reason);
}

void TaskScope::root_ended(detail::TaskRoot& root) noexcept {
    if (root.has_failed()) failed(root);
    if (waiting_ && !has_roots()) std::exchange(waiting_, nullptr)->ended();
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
