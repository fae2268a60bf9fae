// SPDX-License-Identifier: MIT
#include "../measure.hpp"
#include "hand_over.hpp"
#include "peers.hpp"

#include <boost/fiber/all.hpp>

namespace lariat::bench {
namespace {

constexpr int times = 2000;

void yield_in_turn() {
    boost::fibers::fiber other([] {
        for (int i = 0; i < times / 2; ++i) boost::this_fiber::yield();
    });
    for (int i = 0; i < times / 2; ++i) boost::this_fiber::yield();
    other.join();
}

class Semaphore {
public:
    explicit Semaphore(int count) : count_(count) {}
    void acquire() {
        std::unique_lock<boost::fibers::mutex> lock(mutex_);
        condition_.wait(lock, [this] { return count_ > 0; });
        --count_;
    }
    void release() {
        {
            const std::unique_lock<boost::fibers::mutex> lock(mutex_);
            ++count_;
        }
        condition_.notify_one();
    }

private:
    boost::fibers::mutex mutex_;
    boost::fibers::condition_variable condition_;
    int count_;
};
void hand_over_between_fibers() { hand_over<boost::fibers::fiber, Semaphore>(times); }

void start_and_join() {
    for (int i = 0; i < times; ++i) boost::fibers::fiber([] {}).join();
}

}  // namespace

void measure_boost_fiber() {
    print_line("Boost.Fiber: yield()", cost_of_steps(times, 500, yield_in_turn), -1, -1);
    print_line("Boost.Fiber: hand-over by semaphore", cost_of_steps(times, 200, hand_over_between_fibers), -1, -1);
    print_line("Boost.Fiber: start and join", cost_of_steps(times, 100, start_and_join), -1, -1);
}

}  // namespace lariat::bench
