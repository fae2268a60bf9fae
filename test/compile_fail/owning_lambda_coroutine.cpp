// SPDX-License-Identifier: MIT
// rejected: the captures of this lambda coroutine die with the lambda
#include <lariat/coro/task.hpp>

#include <string>

lariat::Task<std::size_t> make(std::string text) {
#ifdef LARIAT_ACCEPTED
    return [](std::string copy) -> lariat::Task<std::size_t> { co_return copy.size(); }(text);
#elif defined(__clang__)
# error clang shows a promise no closure, so only g++ says: the captures of this lambda coroutine die with the lambda
#else
    return [text]() -> lariat::Task<std::size_t> { co_return text.size(); }();
#endif
}
