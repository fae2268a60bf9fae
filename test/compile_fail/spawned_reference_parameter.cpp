// SPDX-License-Identifier: MIT
// rejected: write std::ref(x) for a parameter that is a reference
#include <lariat/coro/spawn.hpp>

#include <functional>

lariat::Task<> count(int& to) { co_return void(++to); }

void start(int& number) {
#ifdef LARIAT_ACCEPTED
    lariat::spawn(count, std::ref(number));
#else
    lariat::spawn(count, number);
#endif
}
