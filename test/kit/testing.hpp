// SPDX-License-Identifier: MIT
// Everything of the testing kit but testing/doctest.hpp, which alone needs doctest.
#pragma once

#include <lariat/testing/assertions.hpp>        // IWYU pragma: export
#include <lariat/testing/clock.hpp>             // IWYU pragma: export
#include <lariat/testing/logs.hpp>              // IWYU pragma: export
#include <lariat/testing/loopback.hpp>          // IWYU pragma: export
#include <lariat/testing/memory_reactor.hpp>    // IWYU pragma: export
#include <lariat/testing/mktemp.hpp>            // IWYU pragma: export
#include <lariat/testing/patch.hpp>             // IWYU pragma: export
#include <lariat/testing/protocols.hpp>         // IWYU pragma: export
#include <lariat/testing/pump.hpp>              // IWYU pragma: export
#include <lariat/testing/sim.hpp>               // IWYU pragma: export
#include <lariat/testing/string_transport.hpp>  // IWYU pragma: export
#include <lariat/testing/test_case.hpp>         // IWYU pragma: export
