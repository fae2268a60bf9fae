// SPDX-License-Identifier: MIT
// 100,000 random graphs of Deferreds that are fired, failed, chained, returned, awaited, paused and cancelled, from
// outside and inside callbacks, against a small model: the same callbacks run, once, in the same order, on the same
// path, with the same values; at the end nothing is left.
#include <lariat/coro/deferred.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/test/support/deferred_model.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace lariat {
namespace {

using test::Canceller;
using test::Happened;
using test::Outcome;
using test::Pair;
using test::Program;
using test::Step;

struct Broken : Error {
    explicit Broken(int number) : Error("broken"), code(number) {}
    int code;
};
struct CancellerBroke : Error {
    CancellerBroke() : Error("the canceller broke") {}
};

int code_of(const Failure& failure) {
    if (const auto* broken = failure.value<Broken>()) return broken->code;
    if (failure.check<Cancelled>()) return test::cancelled_code;
    if (failure.check<AlreadyCalledError>()) return test::already_called_code;
    if (failure.check<UsageError>()) return test::usage_code;
    return -100;
}

Deferred<int> plus_one(const Deferred<int>& awaited) {
    const int value = co_await awaited;
    co_return value + 1;
}

/// Runs a program with the library.
class Library {
public:
    Library(const Program& program, const std::shared_ptr<int>& alive)
        : program_(program), alive_(alive), held_(static_cast<std::size_t>(program.nodes())) {
        nodes_.resize(static_cast<std::size_t>(program.nodes()));
        happened.reserve(64);
        for (std::size_t i = 0; i < program.plain.size(); ++i) nodes_[i] = with_canceller(static_cast<int>(i));
    }

    std::vector<Happened> happened;

    void perform(const Step& step) {
        std::optional<Deferred<int>>& node = at(step.node);
        if (step.kind == Step::await) {
            if (at(step.other)) node = plus_one(*at(step.other));
            return;
        }
        if (!node) return;
        int& held = held_[static_cast<std::size_t>(step.node)];
        switch (step.kind) {
        case Step::add: add(*node, step.other); break;
        case Step::fire: guarded(step, [&] { node->callback(step.other); }); break;
        case Step::fail: guarded(step, [&] { node->errback(Broken(step.other)); }); break;
        case Step::cancel: try { node->cancel();
            } catch (const CancellerBroke&) {
                happened.push_back({Happened::canceller_threw, canceller_, 0});
            }
            break;
        case Step::pause: ++held, node->pause(); break;
        case Step::unpause:
            if (held > 0) --held, node->unpause();
            break;
        case Step::chain:
            if (at(step.other)) node->chain_deferred(*at(step.other));
            break;
        default: break;
        }
    }
    void release_all() {
        for (bool any = true; any;) {
            any = false;
            for (int i = 0; i < program_.nodes(); ++i) {
                if (held_[static_cast<std::size_t>(i)] > 0) any = true, perform({Step::unpause, i, 0});
            }
        }
    }
    void fire_all() {
        for (int i = 0; i < static_cast<int>(program_.plain.size()); ++i) {
            if (!at(i)->called()) at(i)->callback(9);
        }
    }
    void note_results() {
        for (int i = 0; i < program_.nodes(); ++i) {
            if (!at(i)) continue;
            at(i)->add_both([this, i, alive = alive_](const DeferredResult<int>& result) {
                happened.push_back({Happened::result, i, result ? *result : -1'000'000 + code_of(result.failure())});
                return DeferredResult<int>(0);
            });
        }
    }

private:
    std::optional<Deferred<int>>& at(int i) { return nodes_[static_cast<std::size_t>(i)]; }

    template <class F>
    void guarded(const Step& step, F act) {
        try {
            act();
        } catch (const AlreadyCalledError&) {
            happened.push_back({Happened::already_called, step.node, 0});
        } catch (const UsageError&) {
            happened.push_back({Happened::usage_error, step.node, 0});
        }
    }

    Deferred<int> with_canceller(int i) {
        const Canceller kind = program_.plain[static_cast<std::size_t>(i)];
        if (kind == Canceller::none) return Deferred<int>();
        return Deferred<int>([this, i, kind, alive = alive_](Deferred<int>& self) {
            happened.push_back({Happened::canceller, i, 0});
            canceller_ = i;
            if (kind == Canceller::throwing) throw CancellerBroke();
            if (kind == Canceller::value) self.callback(7);
            if (kind == Canceller::failure) self.errback(Broken(test::canceller_code));
        });
    }

    void add(const Deferred<int>& node, int id) {
        node.add_callbacks([this, id, alive = alive_](int value) { return run(Happened::callback, id, value); },
                           [this, id, alive = alive_](const Failure& failure) {
                               return run(Happened::errback, id, code_of(failure));
                           });
    }
    /// The library takes what is returned apart, so each kind of outcome is made a Deferred's result where it must be.
    Deferred<int> run(Happened::Kind path, int id, int value) {
        happened.push_back({path, id, value});
        const Pair& pair = program_.pairs[static_cast<std::size_t>(id)];
        perform(pair.first);
        const Outcome& outcome = path == Happened::errback ? pair.on_failure : pair.on_value;
        switch (outcome.kind) {
        case Outcome::value: return succeed(path == Happened::errback ? outcome.what : value + outcome.what);
        case Outcome::thrown: throw Broken(outcome.what);
        case Outcome::failure: return fail<int>(Broken(outcome.what));
        case Outcome::deferred: break;
        }
        const std::optional<Deferred<int>>& inner = at(outcome.what);
        return inner ? *inner : succeed(-1);
    }

    const Program& program_;
    std::shared_ptr<int> alive_;
    std::vector<std::optional<Deferred<int>>> nodes_;
    std::vector<int> held_;
    int canceller_ = -1;
};

std::string text(const std::vector<Happened>& happened) {
    std::ostringstream out;
    for (const Happened& each : happened) out << " (" << int{each.kind} << ' ' << each.id << ' ' << each.value << ')';
    return out.str();
}

template <class World>
void run_program(const Program& program, World& world) {
    for (const Step& step : program.steps) world.perform(step);
    world.release_all();
    world.fire_all();
    world.release_all();
    world.note_results();
    world.release_all();  // callbacks that did not run before may pause, too
}

/// False when library and model part, or something is left.
bool agrees(std::uint64_t seed) {
    const Program program = test::ProgramMaker(seed).make();
    test::DeferredModel model(program);
    run_program(program, model);
    if (model.left() > 0) {
        MESSAGE("seed ", seed, ": ", model.left(), " levels never run in the model");
        return false;
    }
    const auto alive = std::make_shared<int>(0);
    {
        Library library(program, alive);
        run_program(program, library);
        if (library.happened != model.happened) {
            MESSAGE("seed ", seed, "\nlibrary:", text(library.happened), "\nmodel:  ", text(model.happened));
            return false;
        }
        library.happened.clear();
    }
    if (alive.use_count() != 1) MESSAGE("seed ", seed, ": ", alive.use_count() - 1, " callables are left");
    return alive.use_count() == 1;
}

constexpr std::uint64_t graphs = 100'000, parts = 10;

/// The graphs of one part, until one differs.
void check_part(std::uint64_t part) {
    const CapturedLogs logs;
    std::uint64_t good = 0;
    for (std::uint64_t i = 0; i < graphs / parts; ++i) {
        if (!agrees(part * graphs / parts + i)) break;
        ++good;
    }
    CHECK(good == graphs / parts);
}

}  // namespace

TEST_CASE("D01 D02 D03 D06 D07 D08 D09 D10 D11 D12 D13 I05 random graphs, 1 of 10") { check_part(0); }
TEST_CASE("D01 D02 D03 D06 D07 D08 D09 D10 D11 D12 D13 I05 random graphs, 2 of 10") { check_part(1); }
TEST_CASE("D01 D02 D03 D06 D07 D08 D09 D10 D11 D12 D13 I05 random graphs, 3 of 10") { check_part(2); }
TEST_CASE("D01 D02 D03 D06 D07 D08 D09 D10 D11 D12 D13 I05 random graphs, 4 of 10") { check_part(3); }
TEST_CASE("D01 D02 D03 D06 D07 D08 D09 D10 D11 D12 D13 I05 random graphs, 5 of 10") { check_part(4); }
TEST_CASE("D01 D02 D03 D06 D07 D08 D09 D10 D11 D12 D13 I05 random graphs, 6 of 10") { check_part(5); }
TEST_CASE("D01 D02 D03 D06 D07 D08 D09 D10 D11 D12 D13 I05 random graphs, 7 of 10") { check_part(6); }
TEST_CASE("D01 D02 D03 D06 D07 D08 D09 D10 D11 D12 D13 I05 random graphs, 8 of 10") { check_part(7); }
TEST_CASE("D01 D02 D03 D06 D07 D08 D09 D10 D11 D12 D13 I05 random graphs, 9 of 10") { check_part(8); }
TEST_CASE("D01 D02 D03 D06 D07 D08 D09 D10 D11 D12 D13 I05 random graphs, 10 of 10") { check_part(9); }

}  // namespace lariat
