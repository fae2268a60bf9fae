// SPDX-License-Identifier: MIT
// rejected: a parameter of this coroutine is an aggregate or a lambda that owns something
#include <lariat/coro/task.hpp>

#include <string>

struct Request {
    std::string name;
};

#ifdef LARIAT_ACCEPTED
lariat::Task<std::size_t> handle(Request& request) { co_return request.name.size(); }
#else
lariat::Task<std::size_t> handle(const Request& request) { co_return request.name.size(); }
#endif
