// SPDX-License-Identifier: MIT
// rejected: values pass an errback by unchanged, so what it returns must be of the same type
#include <lariat/coro/deferred.hpp>

#include <string>

void repair(lariat::Deferred<int> number) {
#ifdef LARIAT_ACCEPTED
    number.add_errback([](const lariat::Failure&) { return 0; });
#else
    number.add_errback([](const lariat::Failure&) { return std::string("zero"); });
#endif
}
