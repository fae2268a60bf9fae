// SPDX-License-Identifier: MIT
#pragma once

namespace lariat::bench {

/// Prints how fast simulated networks run; 0, or 1 when a run did not end as it should.
int measure_simulation();

}  // namespace lariat::bench
