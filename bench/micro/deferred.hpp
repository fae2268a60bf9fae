// SPDX-License-Identifier: MIT
#pragma once

namespace lariat::bench {

/// Prints what the steps of a Deferred's life cost; 0, or 1 when a result was wrong.
int measure_deferred();

}  // namespace lariat::bench
