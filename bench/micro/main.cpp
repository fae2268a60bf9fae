// SPDX-License-Identifier: MIT
// lariat-bench-micro: what single steps cost, one line a figure, with its budget and whether it was met. Times are the
// lower quartile of many short runs, which other work on the machine disturbs least; allocations are exact. A missed
// budget does not change the exit status.
#include "deferred.hpp"
#include "fiber.hpp"
#include "peers/peers.hpp"
#include "simulation.hpp"
#include "task.hpp"

#include <cstdio>

int main() {
    std::puts("step                                                   ns  budget    allocations  budget");
    const int deferred = lariat::bench::measure_deferred();
    const int tasks = lariat::bench::measure_tasks();
    const int fibers = lariat::bench::measure_fibers();
    const int simulation = lariat::bench::measure_simulation();
    lariat::bench::measure_peers();
    return deferred + tasks + fibers + simulation == 0 ? 0 : 1;
}
