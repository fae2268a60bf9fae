// SPDX-License-Identifier: MIT
// Random programs over a handful of Deferreds: what is done from outside, what every callback does and returns. Made
// from a seed, and run by the library and by a model alike.
#pragma once

#include <cstdint>
#include <vector>

namespace lariat::test {

/// Something done to a Deferred, from outside or inside a callback.
struct Step {
    enum Kind : std::uint8_t { nothing, add, fire, fail, cancel, pause, unpause, chain, await };

    Kind kind = nothing;
    int node = 0;
    int other = 0;  // add: the level; chain: the second Deferred; await: the one awaited; fire, fail: with what
};

/// How a callback ends.
struct Outcome {
    enum Kind : std::uint8_t { value, thrown, failure, deferred };

    Kind kind = value;
    int what = 0;  // added to the value; the code of the failure; the Deferred
};

/// A callback and an errback; either begins with `first`.
struct Pair {
    Step first;
    Outcome on_value;
    Outcome on_failure;
};

enum class Canceller : std::uint8_t { none, quiet, value, failure, throwing };

/// Something that happened, to be compared.
struct Happened {
    enum Kind : std::uint8_t { callback, errback, already_called, usage_error, canceller, canceller_threw, result };

    Kind kind;
    int id;
    int value;
    friend bool operator==(const Happened&, const Happened&) = default;
};

inline constexpr int cancelled_code = -1, already_called_code = -2, usage_code = -3, canceller_code = -4;

struct Program {
    std::vector<Canceller> plain;  // the Deferreds there are from the beginning
    int coroutines = 0;            // behind them: those that a Step::await makes
    std::vector<Pair> pairs;
    std::vector<Step> steps;

    [[nodiscard]] int nodes() const { return static_cast<int>(plain.size()) + coroutines; }
};

class ProgramMaker {
public:
    explicit ProgramMaker(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 1) {}

    Program make() {
        const int plain = 2 + below(4);
        for (int i = 0; i < plain; ++i) made_.plain.push_back(static_cast<Canceller>(below(5)));
        made_.coroutines = below(3);
        const int length = 6 + below(16);
        int awaited = 0;
        for (int i = 0; i < length; ++i) {
            if (awaited < made_.coroutines && below(5) == 0) {
                made_.steps.push_back({Step::await, plain + awaited, below(plain + awaited)});
                ++awaited;
            } else {
                made_.steps.push_back(step(true));
            }
        }
        return made_;
    }

private:
    int below(int n) {
        state_ ^= state_ << 13, state_ ^= state_ >> 7, state_ ^= state_ << 17;
        return static_cast<int>((state_ >> 33) % static_cast<std::uint64_t>(n));
    }
    int any_node() { return below(made_.nodes()); }

    Step step(bool outside) {
        static constexpr Step::Kind often[] = {Step::add,  Step::add,    Step::add,   Step::add,     Step::fire,
                                               Step::fire, Step::fail,   Step::pause, Step::unpause, Step::cancel,
                                               Step::add,  Step::cancel, Step::chain};
        Step made{often[below(13)], any_node(), 0};
        if (made.kind == Step::fire || made.kind == Step::fail) made.other = 100 * ++fired_;
        if (made.kind == Step::chain) made.other = any_node();
        if (made.kind == Step::add) made.other = pair(outside);
        return made;
    }
    /// Levels that are added inside callbacks add no further ones.
    int pair(bool may_nest) {
        Pair made;
        if (below(4) == 0) {
            made.first = step(false);
            if (!may_nest && made.first.kind == Step::add) made.first.kind = Step::nothing;
        }
        made.on_value = outcome();
        made.on_failure = outcome();
        made_.pairs.push_back(made);
        return static_cast<int>(made_.pairs.size()) - 1;
    }
    Outcome outcome() {
        switch (below(6)) {
        case 0: return {Outcome::thrown, 10'000 + ++codes_};
        case 1: return {Outcome::failure, 10'000 + ++codes_};
        case 2: return {Outcome::deferred, any_node()};
        default: return {Outcome::value, 1};
        }
    }

    Program made_;
    std::uint64_t state_;
    int fired_ = 0;
    int codes_ = 0;
};

}  // namespace lariat::test
