// SPDX-License-Identifier: MIT
// DeferredModel: what Deferreds are to do, in the plainest form: Twisted's loop, with calls where Twisted calls. An
// empty result counts as 0, as an int's does. Nothing is shared with the library.
#pragma once

#include <lariat/test/support/deferred_program.hpp>

#include <cstddef>
#include <vector>

namespace lariat::test {

class DeferredModel {
public:
    explicit DeferredModel(const Program& program)
        : program_(program), nodes_(static_cast<std::size_t>(program.nodes())) {
        for (std::size_t i = 0; i < program.plain.size(); ++i) {
            nodes_[i].exists = true;
            nodes_[i].canceller = program.plain[i];
        }
        happened.reserve(64);
    }

    std::vector<Happened> happened;

    void perform(const Step& step) {
        Node& node = at(step.node);
        if (step.kind == Step::await) return await(step.node, step.other);
        if (!node.exists) return;
        switch (step.kind) {
        case Step::add: return add(step.node, {Level::callbacks, step.other});
        case Step::fire: return fire_or_note(step.node, {false, step.other});
        case Step::fail: return fire_or_note(step.node, {true, step.other});
        case Step::cancel: return cancel(step.node);
        case Step::pause: ++node.paused, ++node.held; return;
        case Step::unpause:
            if (node.held == 0) return;
            --node.held, --node.paused;
            return run(step.node);
        case Step::chain:
            if (at(step.other).exists) add(step.node, {Level::chain, step.other});
            return;
        default: return;
        }
    }
    /// Lets everything go on that only somebody outside holds up.
    void release_all() {
        for (bool any = true; any;) {
            any = false;
            for (int i = 0; i < program_.nodes(); ++i) {
                if (at(i).held > 0) any = true, perform({Step::unpause, i, 0});
            }
        }
    }
    /// Fires what has not been fired.
    void fire_all() {
        for (int i = 0; i < static_cast<int>(program_.plain.size()); ++i) {
            if (!at(i).called) fire(i, {false, 9});
        }
    }
    /// Adds a last level that notes the result.
    void note_results() {
        for (int i = 0; i < program_.nodes(); ++i) {
            if (at(i).exists) add(i, {Level::result, i});
        }
    }
    /// How many levels have not run.
    [[nodiscard]] std::size_t left() const {
        std::size_t count = 0;
        for (const Node& node : nodes_) count += node.levels.size();
        return count;
    }

private:
    struct Result {
        bool failed = false;
        int value = 0;
    };
    struct Level {
        enum Kind { callbacks, chain, resume, await, result } kind;
        int what;
    };
    struct Node {
        bool exists = false, called = false, suppress = false, running = false, coroutine = false;
        int paused = 0, held = 0, waiting_on = -1;
        Canceller canceller = Canceller::none;
        Result result;
        std::vector<Level> levels;
    };
    enum class Firing { done, dropped, already_called, usage_error };

    Node& at(int i) { return nodes_[static_cast<std::size_t>(i)]; }
    static Result take(Node& node) {
        const Result taken = node.result;
        node.result = {};
        return taken;
    }

    Firing fire(int i, Result result) {
        Node& node = at(i);
        if (node.coroutine) return Firing::usage_error;
        if (node.called) {
            if (!node.suppress) return Firing::already_called;
            node.suppress = false;
            return Firing::dropped;
        }
        node.called = true;
        node.result = result;
        run(i);
        return Firing::done;
    }
    void fire_or_note(int i, Result result) {
        const Firing how = fire(i, result);
        if (how == Firing::already_called) happened.push_back({Happened::already_called, i, 0});
        if (how == Firing::usage_error) happened.push_back({Happened::usage_error, i, 0});
    }

    void cancel(int i) {
        while (at(i).waiting_on >= 0) i = at(i).waiting_on;
        Node& node = at(i);
        if (node.called || node.coroutine) return;
        if (node.canceller == Canceller::none) {
            node.suppress = true;
        } else {
            happened.push_back({Happened::canceller, i, 0});
            if (node.canceller == Canceller::throwing) {
                happened.push_back({Happened::canceller_threw, i, 0});
                return;
            }
            if (node.canceller == Canceller::value) fire(i, {false, 7});
            if (node.canceller == Canceller::failure) fire(i, {true, canceller_code});
        }
        if (!node.called) fire(i, {true, cancelled_code});
    }

    void add(int i, Level level) {
        at(i).levels.push_back(level);
        run(i);
    }

    /// A coroutine that gives the result of `awaited` plus 1 becomes Deferred `i`.
    void await(int i, int awaited) {
        Node& node = at(i);
        if (!at(awaited).exists) return;
        node.exists = node.coroutine = true;
        node.waiting_on = awaited;
        add(awaited, {Level::await, i});
    }

    [[nodiscard]] bool waits_for(int i, int other) {
        for (; i >= 0; i = at(i).waiting_on) {
            if (i == other) return true;
        }
        return false;
    }

    void run(int start) {
        if (!at(start).called || at(start).running) return;
        std::vector<int> chain{start};
        while (!chain.empty()) {
            const int i = chain.back();
            Node& node = at(i);
            if (node.paused > 0) return;
            bool finished = true;
            while (!node.levels.empty()) {
                const Level level = node.levels.front();
                node.levels.erase(node.levels.begin());
                if (level.kind == Level::resume) {
                    Node& outer = at(level.what);
                    outer.result = take(node);
                    outer.waiting_on = -1;
                    --outer.paused;
                    chain.push_back(level.what);
                    finished = false;
                    break;
                }
                node.running = true;
                run_level(i, level);
                node.running = false;
                if (node.waiting_on >= 0) break;
            }
            if (finished) chain.pop_back();
        }
    }

    void run_level(int i, const Level& level) {
        Node& node = at(i);
        switch (level.kind) {
        case Level::chain: {
            const Firing how = fire(level.what, node.result);
            node.result = {};
            if (how == Firing::already_called) node.result = {true, already_called_code};
            if (how == Firing::usage_error) node.result = {true, usage_code};
            return;
        }
        case Level::await: {
            Node& coroutine = at(level.what);
            Result result = take(node);
            if (!result.failed) ++result.value;
            coroutine.waiting_on = -1;
            coroutine.coroutine = false;
            fire(level.what, result);
            return;
        }
        case Level::result:
            happened.push_back(
                {Happened::result, i, node.result.failed ? -1'000'000 + node.result.value : node.result.value});
            node.result = {};
            return;
        default: return run_callback(i, level.what);
        }
    }

    void run_callback(int i, int id) {
        Node& node = at(i);
        const Pair& pair = program_.pairs[static_cast<std::size_t>(id)];
        const Result given = take(node);
        happened.push_back({given.failed ? Happened::errback : Happened::callback, id, given.value});
        perform(pair.first);
        const Outcome& outcome = given.failed ? pair.on_failure : pair.on_value;
        switch (outcome.kind) {
        case Outcome::value: node.result = {false, given.failed ? outcome.what : given.value + outcome.what}; return;
        case Outcome::thrown:
        case Outcome::failure: node.result = {true, outcome.what}; return;
        case Outcome::deferred: break;
        }
        Node& inner = at(outcome.what);
        if (!inner.exists) {
            node.result = {false, -1};
        } else if (waits_for(outcome.what, i)) {
            node.result = {true, usage_code};
        } else if (inner.called && inner.paused == 0 && !inner.running) {
            node.result = take(inner);
        } else {
            ++node.paused;
            node.waiting_on = outcome.what;
            inner.levels.push_back({Level::resume, i});
        }
    }

    const Program& program_;
    std::vector<Node> nodes_;
};

}  // namespace lariat::test
