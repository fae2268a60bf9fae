// SPDX-License-Identifier: MIT
#pragma once

namespace lariat::bench {

/// Prints what awaiting, spawning and handing over cost; 0, or 1 when a result was wrong.
int measure_tasks();

}  // namespace lariat::bench
