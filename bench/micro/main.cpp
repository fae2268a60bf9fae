// SPDX-License-Identifier: MIT
// lariat-bench-micro: what single steps cost, one line a figure, with its budget and whether it was met. Times are the
// lower quartile of many short runs, which other work on the machine disturbs least; allocations are exact. A missed
// budget does not change the exit status.
#include "deferred.hpp"

#include <cstdio>

int main() {
    std::puts("step                                                   ns  budget    allocations  budget");
    return lariat::bench::measure_deferred();
}
