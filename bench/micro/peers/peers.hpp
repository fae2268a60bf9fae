// SPDX-License-Identifier: MIT
// The same steps with what else Debian has. A peer is one file, compiled where its package is installed.
#pragma once

namespace lariat::bench {

/// A group of lines for each peer, or one line that names its package.
void measure_peers();

void measure_asio();
void measure_boost_coroutine2();
void measure_boost_fiber();
void measure_std_thread();

}  // namespace lariat::bench
