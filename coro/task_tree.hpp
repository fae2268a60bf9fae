// SPDX-License-Identifier: MIT
// The tree of tasks: what every task and every function that returns a Deferred is waiting for, and where.
//
//     3 tasks
//     lariat::Task<> serve(lariat::Address), 12 s, waits for with_scope
//       main.cpp:17, in lariat::Task<> serve(lariat::Address)
//         lariat::Task<> echo(lariat::TcpStream), 3.1 s, waits for read_some
//           main.cpp:8, in lariat::Task<> echo(lariat::TcpStream)
//
// Threads: the reactor's.
#pragma once

#include <string>

namespace lariat {

class Reactor;

/// Every live task of `reactor`, each once, below the one whose scope, when_all() or race() it belongs to; then the
/// functions that return a Deferred and wait for something no task waits for. Of each its age, its state, and the
/// places of the awaits it stands at, outermost first.
///
/// It is there at all times: a task notes where it waits when it does. The age counts from the turn of the loop in
/// which the task was made. Reactor::report() has this behind figures of the reactor's own; SIGUSR1 logs that.
[[nodiscard]] std::string dump_tasks(Reactor& reactor);
/// Of Reactor::current(), which there must be.
[[nodiscard]] std::string dump_tasks();

}  // namespace lariat
