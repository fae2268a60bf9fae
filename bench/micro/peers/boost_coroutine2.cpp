// SPDX-License-Identifier: MIT
#include "../measure.hpp"
#include "peers.hpp"

#ifndef __clang__
# pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // in Boost 1.74
#endif
#include <boost/coroutine2/all.hpp>

namespace lariat::bench {
namespace {

constexpr int times = 2000;
using Source = boost::coroutines2::coroutine<void>::pull_type;
using Sink = boost::coroutines2::coroutine<void>::push_type;

}  // namespace

void measure_boost_coroutine2() {
    bool stopping = false;
    Source source([&stopping](Sink& sink) {
        while (!stopping) sink();
    });
    print_line("Boost.Coroutine2: a switch",
               cost_of_steps(times, 500,
                             [&] {
                                 for (int i = 0; i < times / 2; ++i) source();
                             }),
               -1, -1);
    stopping = true;
    source();
    print_line("Boost.Coroutine2: start and end",
               cost_of_steps(times, 100,
                             [] {
                                 for (int i = 0; i < times; ++i) Source([](Sink&) {});
                             }),
               -1, -1);
}

}  // namespace lariat::bench
