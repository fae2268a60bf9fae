// SPDX-License-Identifier: MIT
// The budgets of a Deferred. Its memory comes from the frames that a thread recycles; the first lines count what is
// paid before there are any.
#include "deferred.hpp"

#include "measure.hpp"
#include <lariat/coro/deferred.hpp>

#include <cstdio>
#include <vector>

namespace lariat::bench {
namespace {

struct Captures48 {
    long* total;
    long more[5];
};
static_assert(sizeof(Captures48) == 48);

long total = 0;

void create_add_fire() {
    Deferred<long> d;
    d.add_callback([](long x) { return total += x, x; });
    d.callback(1);
}
void succeed_add() {
    succeed(1L).add_callback([](long x) { return total += x, x; });
}
void large_captures() {
    Deferred<long> d;
    d.add_callback([captures = Captures48{&total, {}}](long x) { return *captures.total += x, x; });
    d.callback(1);
}
void two_callbacks() {
    Deferred<long> d;
    for (int i = 0; i < 2; ++i)
        d.add_callback([captures = Captures48{&total, {}}](long x) { return *captures.total += x, x; });
    d.callback(1);
}
void ten_callbacks() {
    Deferred<long> d;
    for (int i = 0; i < 10; ++i) d.add_callback([](long x) { return total += x, x; });
    d.callback(1);
}
void change_of_type() {
    Deferred<long> d;
    Deferred<int> next = Deferred<long>(d).add_callback([](long x) { return int(x); });
    next.add_callback([](int x) { return total += x, x; });
    d.callback(1);
}
void chained() {
    Deferred<long> inner, outer;
    outer.add_callback([&inner](long) { return inner; });
    outer.add_callback([](long x) { return total += x, x; });
    outer.callback(0);
    inner.callback(1);
}

Deferred<> await_fired(int times) {
    for (int i = 0; i < times; ++i) total += co_await succeed(1L);
}
Deferred<> await_one(Deferred<long>& fired, int times) {
    for (int i = 0; i < times; ++i) total += co_await fired;
}
Deferred<long> coroutine() { co_return 1; }
Deferred<long> over(Deferred<long> d) { co_return co_await std::move(d); }

/// The cost of one of `times` awaits, the coroutine around them being small beside it.
template <class F>
Cost per_await(F coroutine_of) {
    constexpr int times = 1000;
    constexpr int windows = 2000;
    std::vector<double> all;
    coroutine_of(times);
    const std::uint64_t before = allocations();
    std::uint64_t own = 0;
    for (int i = 0; i < windows; ++i) {
        const auto start = std::chrono::steady_clock::now();
        coroutine_of(times);
        const auto end = std::chrono::steady_clock::now();
        const std::uint64_t noise = allocations();
        all.push_back(std::chrono::duration<double, std::nano>(end - start).count() / times);
        own += allocations() - noise;
    }
    const double count = static_cast<double>(allocations() - before - own) / (double{times} * windows);
    return {lower_quartile(std::move(all)), count};
}

/// Allocations of a Deferred with a callback when no memory is there to be used again.
double first_allocations() {
    constexpr std::size_t number = 20'000;
    std::vector<Deferred<long>> all;
    all.reserve(number);
    const std::uint64_t before = allocations();
    for (std::size_t i = 0; i < number; ++i) {
        Deferred<long> d;
        d.add_callback([captures = Captures48{&total, {}}](long x) { return *captures.total += x, x; });
        d.callback(1);
        all.push_back(std::move(d));
    }
    return static_cast<double>(allocations() - before) / number;
}

/// Allocations of adding a callback, to Deferreds that have `others` already, when no memory is there to be used again.
double allocations_of_adding(int others) {
    constexpr std::size_t number = 20'000;
    std::vector<Deferred<long>> all(number);
    const auto add = [&all] {
        for (const Deferred<long>& d : all)
            d.add_callback([captures = Captures48{&total, {}}](long x) { return *captures.total += x, x; });
    };
    for (int i = 0; i < others; ++i) add();
    const std::uint64_t before = allocations();
    add();
    return static_cast<double>(allocations() - before) / number;
}

}  // namespace

int measure_deferred() {
    const double fresh = first_allocations();
    const double first_callback = allocations_of_adding(0);
    const double second_callback = allocations_of_adding(1);
    Cost cost = cost_of(create_add_fire);
    cost.allocations = fresh;
    print_line("Deferred: create, add one callback, fire", cost, 50, 1);
    cost = cost_of(large_captures);
    cost.allocations = first_callback;
    print_line("  with 48 bytes captured; allocations of adding it", cost, 50, 0);
    cost = cost_of(two_callbacks);
    cost.allocations = second_callback;
    print_line("  with two such callbacks; of adding the second", cost, -1, -1);
    print_line("Deferred: await a fired one, in a loop", per_await([](int times) {
                   Deferred<long> fired = succeed(1L);
                   await_one(fired, times);
               }),
               25, 0);
    print_line("Deferred: succeed() and await it", per_await([](int times) { await_fired(times); }), -1, -1);
    print_line("Deferred: succeed(), then a callback", cost_of(succeed_add), -1, -1);
    print_line("Deferred: ten callbacks", cost_of(ten_callbacks), -1, -1);
    print_line("Deferred: a callback that changes the type", cost_of(change_of_type), -1, -1);
    print_line("Deferred: returned from a callback, fired later", cost_of(chained), -1, -1);
    print_line("Deferred: a coroutine that does not wait", cost_of([] { keep(coroutine()); }), -1, -1);
    print_line("Deferred: a coroutine that waits once", cost_of([] {
                   Deferred<long> d;
                   keep(over(d));
                   d.callback(1);
               }),
               -1, -1);
    keep(total);
    return total > 0 ? 0 : 1;
}

}  // namespace lariat::bench
