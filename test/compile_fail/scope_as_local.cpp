// SPDX-License-Identifier: MIT
// rejected: private
#include <lariat/coro/task_scope.hpp>
#include <lariat/runtime/reactor.hpp>

#ifdef LARIAT_ACCEPTED
lariat::Task<> body(lariat::TaskScope&) { co_return; }
lariat::Task<> starts() { co_await lariat::with_scope(body); }
#else
void start(lariat::Reactor& reactor) { lariat::TaskScope scope(reactor, lariat::ScopePolicy::fail_fast); }
#endif
