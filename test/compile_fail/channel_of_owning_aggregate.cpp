// SPDX-License-Identifier: MIT
// rejected: give the class a constructor
#include <lariat/coro/sync/channel.hpp>

#include <string>
#include <utility>

struct Job {
#ifdef LARIAT_ACCEPTED
    explicit Job(std::string text) : name(std::move(text)) {}
#endif
    std::string name;
};

lariat::Channel<Job> jobs;
