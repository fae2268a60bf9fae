// SPDX-License-Identifier: MIT
#include "peers.hpp"

#include <cstdio>

namespace lariat::bench {
namespace {

[[maybe_unused]] void not_found(const char* peer, const char* package) {
    std::printf("%-50s  not found: install %s\n", peer, package);
}

}  // namespace

void measure_peers() {
#ifdef LARIAT_BENCH_ASIO
    measure_asio();
#else
    not_found("Asio", "libasio-dev");
#endif
#ifdef LARIAT_BENCH_BOOST_COROUTINE2
    measure_boost_coroutine2();
#else
    not_found("Boost.Coroutine2", "libboost-dev libboost-context-dev");
#endif
#ifdef LARIAT_BENCH_BOOST_FIBER
    measure_boost_fiber();
#else
    not_found("Boost.Fiber", "libboost-fiber-dev");
#endif
    measure_std_thread();
}

}  // namespace lariat::bench
