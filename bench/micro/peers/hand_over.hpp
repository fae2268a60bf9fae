// SPDX-License-Identifier: MIT
// Two threads of control that wait for each other in turn, whatever kind they are of.
#pragma once

namespace lariat::bench {

/// Hands over `times` times.
template <class Thread, class Semaphore>
void hand_over(int times) {
    Semaphore asked(0), answered(0);
    Thread other([&] {
        for (int i = 0; i < times / 2; ++i) {
            asked.acquire();
            answered.release();
        }
    });
    for (int i = 0; i < times / 2; ++i) {
        asked.release();
        answered.acquire();
    }
    other.join();
}

}  // namespace lariat::bench
