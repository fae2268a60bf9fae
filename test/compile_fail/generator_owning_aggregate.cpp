// SPDX-License-Identifier: MIT
// rejected: give the class a constructor
#include <lariat/coro/async_generator.hpp>

#include <string>
#include <utility>

struct Query {
#ifdef LARIAT_ACCEPTED
    explicit Query(std::string name) : text(std::move(name)) {}
#endif
    std::string text;
};

lariat::AsyncGenerator<int> rows(Query query) { co_yield static_cast<int>(query.text.size()); }
