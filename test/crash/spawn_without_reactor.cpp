// SPDX-License-Identifier: MIT
// dies: spawn() was used on a thread that runs no Reactor; call it from inside lariat::run() or Reactor::run()
#include <lariat/coro/spawn.hpp>

lariat::Task<> nothing() { co_return; }

int main() { lariat::spawn(nothing); }
