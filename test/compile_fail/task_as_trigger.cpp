// SPDX-License-Identifier: MIT
// rejected: a Task that is returned never runs; return ensure_deferred(task)
#include <lariat/coro/deferred.hpp>
#include <lariat/runtime/reactor.hpp>

lariat::Task<> work();

void start(lariat::Reactor& reactor) {
#ifdef LARIAT_ACCEPTED
    reactor.add_system_event_trigger(lariat::Phase::before, "shutdown", [] { return lariat::ensure_deferred(work()); });
#else
    reactor.add_system_event_trigger(lariat::Phase::before, "shutdown", work);
#endif
}
