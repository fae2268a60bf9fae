// SPDX-License-Identifier: MIT
// rejected: to pass on the result of another Deferred write other.chain_deferred(this_one)
#include <lariat/coro/deferred.hpp>

void hand_over(lariat::Deferred<int> from, lariat::Deferred<int> to) {
#ifdef LARIAT_ACCEPTED
    from.chain_deferred(to);
#else
    to.callback(from);
#endif
}
