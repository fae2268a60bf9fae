// SPDX-License-Identifier: MIT
// rejected: a Task is not a result: return ensure_deferred(task) instead
#include <lariat/coro/deferred.hpp>

lariat::Task<int> work();

void start() {
#ifdef LARIAT_ACCEPTED
    lariat::Deferred<int> result = lariat::ensure_deferred(work());
#else
    auto result = lariat::succeed(work());
#endif
}
