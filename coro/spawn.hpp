// SPDX-License-Identifier: MIT
// spawn(): starts a Task that nobody awaits, on the current reactor. Prefer a scope (coro/task_scope.hpp), whose tasks
// cannot outlive it; spawn is for work that belongs to the whole program.
//
// What still runs when the reactor shuts down is cancelled with CancelReason::shutdown and waited for.
#pragma once

#include <lariat/coro/join_handle.hpp>

#include <functional>
#include <utility>

namespace lariat {

namespace detail {

/// The owner of what is spawned on `reactor`, which must be the calling thread's.
RootOwner& spawned_roots(Reactor& reactor);

}  // namespace detail

/// Calls `function(arguments...)` and runs the Task it returns until its first wait, inside this call; the rest runs
/// from the loop.
///
/// Lifetime: the function and the arguments are copied or moved and live until the task has ended; std::ref passes a
/// reference. Capturing lambdas are rejected.
/// Errors: what leaves the task is thrown to whoever joins it, and logged when nobody does.
template <class F, class... A>
auto spawn(F&& function, A&&... arguments) -> JoinHandle<detail::spawn_result<F, A...>> {
    detail::RootOwner& owner = detail::spawned_roots(detail::this_reactor("spawn()"));
    return detail::begin_root(owner, std::forward<F>(function), std::forward<A>(arguments)...);
}

}  // namespace lariat
