// SPDX-License-Identifier: MIT
// rejected: nobody runs the coroutine that this function returns: spawn() it inside
#include <lariat/coro/spawn.hpp>
#include <lariat/runtime/reactor.hpp>

lariat::Task<> work();

void start(lariat::Reactor& reactor) {
#ifdef LARIAT_ACCEPTED
    reactor.call_later(std::chrono::seconds(1), [] { lariat::spawn(work); });
#else
    reactor.call_later(std::chrono::seconds(1), work);
#endif
}
