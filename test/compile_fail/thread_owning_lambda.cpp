// SPDX-License-Identifier: MIT
// rejected: capture by reference, which is safe here, or pass arguments
#include <lariat/coro/run_in_thread.hpp>
#include <lariat/coro/task.hpp>

#include <string>
#include <utility>

lariat::Task<std::size_t> measures(std::string text) {
#ifdef LARIAT_ACCEPTED
    co_return co_await lariat::run_in_thread([&text] { return text.size(); });
#else
    co_return co_await lariat::run_in_thread([text] { return text.size(); });
#endif
}
