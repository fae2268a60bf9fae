// SPDX-License-Identifier: MIT
// Everything of the layer io: backends, operations, buffers, addresses, and the base below them.
#pragma once

#include <lariat/io/address.hpp>         // IWYU pragma: export
#include <lariat/io/backend.hpp>         // IWYU pragma: export
#include <lariat/io/base/assert.hpp>     // IWYU pragma: export
#include <lariat/io/base/bytes.hpp>      // IWYU pragma: export
#include <lariat/io/base/clock.hpp>      // IWYU pragma: export
#include <lariat/io/base/error.hpp>      // IWYU pragma: export
#include <lariat/io/base/function.hpp>   // IWYU pragma: export
#include <lariat/io/base/log.hpp>        // IWYU pragma: export
#include <lariat/io/base/result.hpp>     // IWYU pragma: export
#include <lariat/io/base/unique_fd.hpp>  // IWYU pragma: export
#include <lariat/io/buffer.hpp>          // IWYU pragma: export
#include <lariat/io/buffer_pool.hpp>     // IWYU pragma: export
#include <lariat/io/make_backend.hpp>    // IWYU pragma: export
#include <lariat/io/op.hpp>              // IWYU pragma: export
