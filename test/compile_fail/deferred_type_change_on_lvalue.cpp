// SPDX-License-Identifier: MIT
// rejected: Write auto next = std::move(deferred).add_callback(...)
#include <lariat/coro/deferred.hpp>

#include <string>

lariat::Deferred<std::string> as_text(lariat::Deferred<int> number) {
#ifdef LARIAT_ACCEPTED
    return std::move(number).add_callback([](int x) { return std::to_string(x); });
#else
    number.add_callback([](int x) { return std::to_string(x); });
    return {};
#endif
}
