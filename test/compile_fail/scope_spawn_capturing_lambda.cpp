// SPDX-License-Identifier: MIT
// rejected: a capturing lambda cannot be spawned
#include <lariat/coro/task_scope.hpp>

#include <functional>

lariat::Task<> body(lariat::TaskScope& scope) {
    int local = 0;
#ifdef LARIAT_ACCEPTED
    scope.spawn([](int& to) -> lariat::Task<> { co_return void(++to); }, std::ref(local));
#else
    scope.spawn([&local]() -> lariat::Task<> { co_return void(++local); });
#endif
    co_return;
}
