// SPDX-License-Identifier: MIT
// rejected: handler
#include <lariat/coro/as_result.hpp>
#include <lariat/coro/sleep.hpp>

using namespace lariat;

Task<> work();
Task<> clean_up();

Task<> runs() {
#ifdef LARIAT_ACCEPTED
    const Outcome<> outcome = co_await as_result(work());
    if (!outcome) co_await clean_up();
#else
    try {
        co_await work();
    } catch (...) {
        co_await clean_up();
    }
#endif
}
