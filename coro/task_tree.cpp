// SPDX-License-Identifier: MIT
#include <lariat/coro/task_tree.hpp>

#include <lariat/coro/deferred_coroutine.hpp>
#include <lariat/coro/operation.hpp>
#include <lariat/coro/spawn.hpp>
#include <lariat/coro/task_root.hpp>
#include <lariat/runtime/reactor.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <unordered_set>
#include <vector>

namespace lariat {
namespace detail {
namespace {

/// The coroutines between a root and what it waits for, the innermost first, and that wait.
struct Stand {
    std::vector<const PromiseBase*> coroutines;
    const CancelContext* innermost = nullptr;
};

void follow(const CancelContext& context, Stand& stand) {
    stand.innermost = &context;
    const Cancellable* wait = context.standing_at();
    if (!wait) return;
    if (const CancelContext* inner = wait->info().inner; inner && inner->standing_at()) follow(*inner, stand);
    for (const PromiseBase* each = context.waiter(); each; each = each->parent()) {
        // A limit inside has been followed out to here already.
        if (std::find(stand.coroutines.begin(), stand.coroutines.end(), each) != stand.coroutines.end()) break;
        stand.coroutines.push_back(each);
    }
}

std::string in_words(Duration age) {
    const double seconds = std::chrono::duration<double>(age).count();
    char text[32];
    std::snprintf(text, sizeof text, "%.3g %s", seconds < 1 ? seconds * 1000 : seconds, seconds < 1 ? "ms" : "s");
    return text;
}

class Dump {
public:
    explicit Dump(Reactor& reactor) : reactor_(reactor), now_(reactor.now()) {}

    void tasks(const RootOwner& owner, std::size_t depth) {
        owner.roots().for_each([&](const TaskRoot& root) {
            const PromiseBase* coroutine = root.coroutine();
            begin(depth, coroutine) += ", " + in_words(now_ - root.made_at()) + ", ";
            ++count_;
            if (coroutine) {
                wait(root.context(), *coroutine, depth);
            } else {
                text_ += "not started\n";
            }
        });
    }

    void deferred_coroutines() {
        std::unordered_set<const CancelContext*> awaited;
        each_deferred_coroutine([&](const CancelContext& context) {
            const Cancellable* wait = context.standing_at();
            if (wait && wait->info().inner) awaited.insert(wait->info().inner);
        });
        each_deferred_coroutine([&](const CancelContext& context) {
            if (!context.standing_at() || awaited.count(&context) != 0 || shown_.count(&context) != 0) return;
            const PromiseBase* root = context.waiter();
            while (root->parent()) root = root->parent();
            begin(0, root) += ", ";
            wait(context, *root, 0);
        });
    }

    [[nodiscard]] std::string text() const {
        return std::to_string(count_) + (count_ == 1 ? " task\n" : " tasks\n") + text_;
    }

private:
    template <class Visit>
    void each_deferred_coroutine(Visit visit) {
        for (const DeferredPromiseBase* each = newest_deferred_coroutine; each; each = each->older()) {
            if (!each->reactor() || each->reactor() == &reactor_) visit(*each->context());
        }
    }

    std::string& begin(std::size_t depth, const PromiseBase* coroutine) {
        text_.append(depth * 4, ' ');
        return text_ += coroutine && *coroutine->name() ? coroutine->name() : "a task";
    }

    /// The state and the places of a root, and what it waits for.
    void wait(const CancelContext& context, const PromiseBase& root, std::size_t depth) {
        Stand stand;
        follow(context, stand);
        for (const CancelContext* each = &context; each; each = inner(*each)) shown_.insert(each);
        if (context.was_requested()) text_.append("cancelled (").append(to_string(context.reason())).append("), ");
        const Cancellable* wait = stand.innermost->standing_at();
        if (!wait) {
            text_ += "running\n";
            place(root, depth);
            return;
        }
        const WaitInfo info = wait->info();
        text_.append("waits for ").append(info.verb).append("\n");
        for (auto each = stand.coroutines.rbegin(); each != stand.coroutines.rend(); ++each) place(**each, depth);
        if (info.children) tasks(*info.children, depth + 1);
    }

    static const CancelContext* inner(const CancelContext& context) {
        return context.standing_at() ? context.standing_at()->info().inner : nullptr;
    }

    void place(const PromiseBase& coroutine, std::size_t depth) {
        if (coroutine.wait_line() == 0) return;  // lariat's own
        text_.append(depth * 4 + 2, ' ').append(coroutine.wait_file()).append(":");
        text_.append(std::to_string(coroutine.wait_line())).append(", in ").append(coroutine.name()).append("\n");
    }

    Reactor& reactor_;
    TimePoint now_;
    std::string text_;
    std::unordered_set<const CancelContext*> shown_;
    std::size_t count_ = 0;
};

}  // namespace
}  // namespace detail

std::string dump_tasks(Reactor& reactor) {
    detail::Dump dump(reactor);
    dump.tasks(detail::spawned_roots(reactor), 0);
    dump.deferred_coroutines();
    return dump.text();
}

std::string dump_tasks() { return dump_tasks(detail::this_reactor("dump_tasks()")); }

}  // namespace lariat
