// SPDX-License-Identifier: MIT
// Everything of lariat.
#pragma once

#include <lariat/coro/coro.hpp>        // IWYU pragma: export
#include <lariat/io/io.hpp>            // IWYU pragma: export
#include <lariat/proto/proto.hpp>      // IWYU pragma: export
#include <lariat/runtime/runtime.hpp>  // IWYU pragma: export
