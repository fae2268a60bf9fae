// SPDX-License-Identifier: MIT
// dies: an Event was used on another thread than the one that waits for it; use call_from_thread()
#include <lariat/coro/run.hpp>
#include <lariat/coro/sync/event.hpp>
#include <lariat/runtime/reactor.hpp>

#include <thread>

using namespace lariat;

Task<> waits() {
    Event event;
    std::jthread other;
    const auto start = [&] { other = std::jthread([&event] { event.set(); }); };
    Reactor::current()->call_later(Duration::zero(), start);
    co_await event.wait();
}

int main() { return run(waits()); }
