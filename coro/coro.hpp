// SPDX-License-Identifier: MIT
// Everything of the layer coro.
#pragma once

#include <lariat/coro/as_completed.hpp>       // IWYU pragma: export
#include <lariat/coro/as_result.hpp>          // IWYU pragma: export
#include <lariat/coro/cancel.hpp>             // IWYU pragma: export
#include <lariat/coro/connect.hpp>            // IWYU pragma: export
#include <lariat/coro/deferred.hpp>           // IWYU pragma: export
#include <lariat/coro/deferred_future.hpp>    // IWYU pragma: export
#include <lariat/coro/deferred_lock.hpp>      // IWYU pragma: export
#include <lariat/coro/deferred_queue.hpp>     // IWYU pragma: export
#include <lariat/coro/deferred_tuple.hpp>     // IWYU pragma: export
#include <lariat/coro/filesystem_lock.hpp>    // IWYU pragma: export
#include <lariat/coro/from_callback.hpp>      // IWYU pragma: export
#include <lariat/coro/join_handle.hpp>        // IWYU pragma: export
#include <lariat/coro/listener.hpp>           // IWYU pragma: export
#include <lariat/coro/race.hpp>               // IWYU pragma: export
#include <lariat/coro/run.hpp>                // IWYU pragma: export
#include <lariat/coro/shield.hpp>             // IWYU pragma: export
#include <lariat/coro/sleep.hpp>              // IWYU pragma: export
#include <lariat/coro/spawn.hpp>              // IWYU pragma: export
#include <lariat/coro/sync/barrier.hpp>       // IWYU pragma: export
#include <lariat/coro/sync/channel.hpp>       // IWYU pragma: export
#include <lariat/coro/sync/condition.hpp>     // IWYU pragma: export
#include <lariat/coro/sync/event.hpp>         // IWYU pragma: export
#include <lariat/coro/sync/latch.hpp>         // IWYU pragma: export
#include <lariat/coro/sync/mutex.hpp>         // IWYU pragma: export
#include <lariat/coro/sync/queue.hpp>         // IWYU pragma: export
#include <lariat/coro/sync/semaphore.hpp>     // IWYU pragma: export
#include <lariat/coro/sync/shared_mutex.hpp>  // IWYU pragma: export
#include <lariat/coro/task.hpp>               // IWYU pragma: export
#include <lariat/coro/task_scope.hpp>         // IWYU pragma: export
#include <lariat/coro/tcp_stream.hpp>         // IWYU pragma: export
#include <lariat/coro/when_all.hpp>           // IWYU pragma: export
#include <lariat/coro/with_timeout.hpp>       // IWYU pragma: export
