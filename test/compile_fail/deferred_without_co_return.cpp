// SPDX-License-Identifier: MIT
// I07: a function that neither awaits nor co_returns is no coroutine, and must return a Deferred as any function must.
// rejected: lariat::Deferred<int>
// rejected: conver
#include <lariat/coro/deferred.hpp>

lariat::Deferred<int> five() {
#ifdef LARIAT_ACCEPTED
    co_return 5;
#else
    return 5;
#endif
}
