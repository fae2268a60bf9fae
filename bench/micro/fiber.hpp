// SPDX-License-Identifier: MIT
#pragma once

namespace lariat::bench {

/// Prints what switching to fibers and awaiting in them costs; 0, or 1 when a result was wrong.
int measure_fibers();

}  // namespace lariat::bench
