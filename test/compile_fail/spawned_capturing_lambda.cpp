// SPDX-License-Identifier: MIT
// rejected: a capturing lambda cannot be spawned
// rejected: spawn([](State s) -> Task<> {...}, std::move(s))
#include <lariat/coro/spawn.hpp>

void start(int number) {
#ifdef LARIAT_ACCEPTED
    lariat::spawn(
        [](int copy) -> lariat::Task<> {
            (void)copy;
            co_return;
        },
        number);
#else
    lariat::spawn([number]() -> lariat::Task<> {
        (void)number;
        co_return;
    });
#endif
}
