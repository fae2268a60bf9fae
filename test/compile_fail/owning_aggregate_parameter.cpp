// SPDX-License-Identifier: MIT
// rejected: a parameter of this coroutine is an aggregate or a lambda that owns something
#include <lariat/coro/task.hpp>

#include <string>

struct Request {
#ifdef LARIAT_ACCEPTED
    explicit Request(std::string text) : name(std::move(text)) {}
#endif
    std::string name;
};

lariat::Task<std::size_t> handle(Request request) { co_return request.name.size(); }
