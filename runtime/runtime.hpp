// SPDX-License-Identifier: MIT
// Everything of the layer runtime that users may need: the reactor and what runs on it, without coroutines.
#pragma once

#include <lariat/runtime/acceptor.hpp>          // IWYU pragma: export
#include <lariat/runtime/connect_attempt.hpp>   // IWYU pragma: export
#include <lariat/runtime/connection.hpp>        // IWYU pragma: export
#include <lariat/runtime/connection_error.hpp>  // IWYU pragma: export
#include <lariat/runtime/datagram_socket.hpp>   // IWYU pragma: export
#include <lariat/runtime/delayed_call.hpp>      // IWYU pragma: export
#include <lariat/runtime/failure.hpp>           // IWYU pragma: export
#include <lariat/runtime/file_descriptor.hpp>   // IWYU pragma: export
#include <lariat/runtime/multicast.hpp>         // IWYU pragma: export
#include <lariat/runtime/reactor.hpp>           // IWYU pragma: export
#include <lariat/runtime/resolver.hpp>          // IWYU pragma: export
#include <lariat/runtime/system_events.hpp>     // IWYU pragma: export
#include <lariat/runtime/thread_pool.hpp>       // IWYU pragma: export
