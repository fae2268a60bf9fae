// SPDX-License-Identifier: MIT
// rejected: execute() does not look inside what it gets; use maybe_deferred()
#include <lariat/coro/deferred.hpp>

lariat::Task<> work();

void start() {
#ifdef LARIAT_ACCEPTED
    lariat::maybe_deferred(work);
#else
    lariat::execute(work);
#endif
}
