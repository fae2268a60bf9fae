// SPDX-License-Identifier: MIT
#include <lariat/coro/task_group.hpp>

namespace lariat::detail {

bool TaskGroup::decides(const TaskRoot& root) const noexcept {
    switch (until_) {
    case Until::end: return decided_by_ == nullptr;
    case Until::success: return decided_by_ == nullptr && !root.failure();
    case Until::failure:
        // What went wrong says more than that a Task was cancelled, also when it comes later.
        return root.failure() && (decided_by_ == nullptr || (!decided_by_->has_failed() && root.has_failed()));
    }
    return false;
}

void TaskGroup::root_ended(TaskRoot& root) noexcept {
    root.set_observed();
    if (decides(root)) {
        decided_by_ = &root;
        cancel_roots(CancelReason::scope_exit);
    } else if (decided_by_ && root.has_failed()) {
        root.log_failure("those it ran beside have decided without it");
    }
    if (waiting_ && !has_roots()) std::exchange(waiting_, nullptr)->ended();
}

}  // namespace lariat::detail
