// SPDX-License-Identifier: MIT
#include "../measure.hpp"
#include "hand_over.hpp"
#include "peers.hpp"

#include <semaphore>
#include <thread>

namespace lariat::bench {
namespace {

constexpr int times = 200;

void hand_over_between_threads() { hand_over<std::thread, std::binary_semaphore>(times); }
void start_and_join_threads() {
    for (int i = 0; i < times; ++i) std::thread([] {}).join();
}

}  // namespace

void measure_std_thread() {
    print_line("std::thread: hand-over by semaphore", cost_of_steps(times, 50, hand_over_between_threads), -1, -1);
    print_line("std::thread: start and join", cost_of_steps(times, 20, start_and_join_threads), -1, -1);
}

}  // namespace lariat::bench
