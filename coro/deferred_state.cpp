// SPDX-License-Identifier: MIT
#include <lariat/coro/deferred_state.hpp>

#include <lariat/io/base/log.hpp>

#include <array>
#include <atomic>
#include <cstdio>
#include <exception>
#include <vector>

namespace lariat {
namespace {

std::atomic<bool> debugging_on = false;

std::string place(const std::source_location& where) {
    if (where.line() == 0) return "an unknown place";
    return std::string(where.file_name()) + ":" + std::to_string(where.line());
}

std::string debug_text(const std::source_location& created, const std::source_location& fired) {
    return " C: Deferred was created:\n C:  " + place(created) + "\n I: First Invoker was:\n I:  " + place(fired);
}

}  // namespace

AbandonedError::AbandonedError(const std::source_location& created)
    : Error("the Deferred created at " + place(created) + " can no longer be fired: its last handle is gone") {}

ResultTakenError::ResultTakenError()
    : UsageError("the result of this Deferred was handed on, and its type has no empty value to take its place") {}

void set_debugging(bool on) noexcept { debugging_on.store(on, std::memory_order_relaxed); }
bool debugging() noexcept { return debugging_on.load(std::memory_order_relaxed); }

namespace detail {
namespace {

/// The stages a loop still has to come back to, the innermost last. Holds a keeper of each. Those that run as if called
/// by the one below are marked; the one below counts as running meanwhile: what is added to it waits.
class Chain {
public:
    Chain() noexcept = default;
    Chain(const Chain&) = delete;
    Chain& operator=(const Chain&) = delete;
    ~Chain() {
        while (size_ > 0) pop();
    }

    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] DeferredStage& back() const noexcept { return *last().stage; }
    void push(DeferredStage* stage, bool called) {
        if (called) back().set_running(true);
        if (size_ < few_.size()) {
            few_[size_] = Entry{stage, called};
        } else {
            more_.push_back(Entry{stage, called});
        }
        ++size_;
    }
    /// True when the one below had called it.
    bool pop() noexcept {
        const Entry entry = last();
        if (size_ > few_.size()) more_.pop_back();
        --size_;
        if (entry.called) back().set_running(false);
        entry.stage->release_keeper();
        return entry.called;
    }
    /// Pops the last one and all that wait for it: down to the one that called one of them.
    bool pop_call() noexcept {
        while (size_ > 0) {
            if (pop()) return true;
        }
        return false;
    }
    /// Replaces the last one, which was not the caller of its successor.
    void replace(DeferredStage* stage) noexcept {
        DeferredStage* const old = std::exchange((size_ <= few_.size() ? few_[size_ - 1] : more_.back()).stage, stage);
        old->release_keeper();
    }

private:
    struct Entry {
        DeferredStage* stage;
        bool called;
    };
    [[nodiscard]] const Entry& last() const noexcept { return size_ <= few_.size() ? few_[size_ - 1] : more_.back(); }

    std::array<Entry, 4> few_;
    std::vector<Entry> more_;
    std::size_t size_ = 0;
};

class KeeperLock {
public:
    explicit KeeperLock(DeferredStage& stage) noexcept : stage_(stage) { stage.add_keeper(); }
    KeeperLock(const KeeperLock&) = delete;
    KeeperLock& operator=(const KeeperLock&) = delete;
    ~KeeperLock() { stage_.release_keeper(); }

private:
    DeferredStage& stage_;
};

/// Deferreds whose last holder is gone, while one is being destroyed: what it held is destroyed by the same loop.
struct Dying {
    DeferredStage* first = nullptr;
    DeferredStage* last = nullptr;
    bool active = false;
};

constinit thread_local Dying dying;

}  // namespace

/// A waiter that a loop is resuming, and what became of the Deferred coroutine it belongs to. On the loop's stack, and
/// found through the coroutine's context: fibers may switch stacks in the middle.
struct Resumption {
    Resumption* outer;
    DeferredStage* completed = nullptr;
    bool ended = false;
};

bool DeferredStage::called() const noexcept {
    for (const DeferredStage* stage = this; stage; stage = stage->upstream_) {
        if (stage->called_) return true;
    }
    return false;
}

bool DeferredStage::refuse_fire() {
    if (coroutine_) throw UsageError("the coroutine that returned this Deferred fires it; nobody else may");
    if (suppress_already_called_) {
        suppress_already_called_ = false;
        return false;
    }
    std::string text = "this Deferred was fired already";
    if (upstream_ && !called_) text = "this Deferred gets its result from the callback that changed its type";
    if (debugging()) text += "\n" + debug_text(created_, fired_);
    throw AlreadyCalledError(std::move(text));
}

void DeferredStage::fire_failure(Failure failure) noexcept {
    if (called_) return;
    called_ = true;
    failure_ = std::move(failure);
    if (canceller_) std::exchange(canceller_, nullptr)->destroy();
    run();
}

void DeferredStage::run_levels() noexcept {
    add_keeper();
    while (DeferredLevel* level = pop_level()) {
        if (DeferredStage* next = level->run(*this)) {
            run_chain(next);
            break;
        }
        if (waiting_on_) break;
    }
    release_keeper();
}

/// Runs `next`, for which this stage stopped, and whatever that leads to; then the rest of this one.
void DeferredStage::run_chain(DeferredStage* next) noexcept {
    Chain chain;
    if (first_ || next->run_as_call_) {
        add_keeper();
        chain.push(this, false);
    }
    chain.push(next, next->run_as_call_);
    bool in_the_middle =
        false;  // back from a call: a pause has to wait until the callbacks that are running have ended
    while (!chain.empty()) {
        DeferredStage& current = chain.back();
        if (current.paused_ > 0 && !in_the_middle) {
            in_the_middle = chain.pop_call();
            continue;
        }
        in_the_middle = false;
        bool finished = true;
        while (DeferredLevel* level = current.pop_level()) {
            if (DeferredStage* following = level->run(current)) {
                // A stage with nothing left to run need not be come back to: long chains need no memory.
                if (current.first_ || following->run_as_call_) {
                    chain.push(following, following->run_as_call_);
                } else {
                    chain.replace(following);
                }
                finished = false;
                break;
            }
            if (current.waiting_on_) break;
        }
        if (finished) in_the_middle = chain.pop();
    }
}

void DeferredStage::cancel(CancelReason reason) {
    DeferredStage* stage = this;
    for (;;) {
        while (!stage->called_ && stage->upstream_) stage = stage->upstream_;
        if (!stage->waiting_on_) break;
        stage = stage->waiting_on_;
    }
    if (stage->called_) return;
    if (stage->coroutine_) {
        stage->coroutine_->cancel(reason);
        return;
    }
    const KeeperLock keeper(*stage);
    if (stage->canceller_) {
        if (!stage->call_canceller()) return;
    } else {
        stage->suppress_already_called_ = true;
    }
    stage->fire_failure(Failure(Cancelled(reason), std::source_location()));
}

bool DeferredStage::call_canceller() {
    // Out of the stage while it runs: firing destroys the one that is in it.
    DeferredCanceller* const canceller = std::exchange(canceller_, nullptr);
    cancelling_ = true;
    bool fail_it = false;
    std::exception_ptr thrown;
    try {
        fail_it = canceller->call(*this);
    } catch (...) {
        thrown = std::current_exception();
    }
    cancelling_ = false;
    if (called_ || fail_it) {
        canceller->destroy();
    } else {
        canceller_ = canceller;
    }
    if (thrown) std::rethrow_exception(thrown);
    return fail_it;
}

void DeferredStage::finish_coroutine(CancelContext& context) noexcept {
    coroutine_ = nullptr;
    Resumption* const resumption = context.resumption();
    for (Resumption* each = resumption; each; each = each->outer) each->ended = true;
    if (DeferredStage* next = continue_with_result(true)) {
        if (resumption) {
            resumption->completed = next;
        } else {
            run();
            release_keeper();
        }
    }
    release_feed();
}

DeferredStage* resume_waiter(std::coroutine_handle<> waiter, CancelContext& context) noexcept {
    if (context.is_sticky()) {  // the root is a Task
        waiter.resume();
        return nullptr;
    }
    Resumption resumption{context.resumption()};
    context.set_resumption(&resumption);
    waiter.resume();
    if (!resumption.ended) context.set_resumption(resumption.outer);
    return resumption.completed;
}

void DeferredStage::remove(DeferredLevel& level) noexcept {
    DeferredLevel** link = &first_;
    while (*link && *link != &level) link = &(*link)->next;
    if (!*link) return;
    *link = level.next;
    if (!level.next) last_ = link;
}

void DeferredStage::attach_to(DeferredStage& upstream) noexcept {
    upstream_ = &upstream;
    root_ = upstream.root_;
    root_->handles_ += std::exchange(handles_, 0u);
    next_stage_ = std::exchange(root_->next_stage_, this);
}

std::string DeferredStage::describe(const std::string& result) const {
    char text[64];
    std::snprintf(text, sizeof text, "<Deferred at %p", static_cast<const void*>(root_));
    std::string line = text;
    if (waiting_on_ && called_) {
        std::snprintf(text, sizeof text, " waiting on Deferred at %p", static_cast<const void*>(waiting_on_->root_));
        line += text;
    } else if (called_) {
        line += " current result: " + result;
    }
    return line + ">";
}

// Nobody holds it any more: `this` is a root in all that follows.

void DeferredStage::let_go() noexcept {
    if (feeds_ > 0) {
        if (keepers_ == 0) collect();
    } else if (keepers_ > 0) {
        abandon();
    } else {
        destroy_all();
    }
}

void DeferredStage::abandon() noexcept {
    if (cancelling_) return;
    if (!called_) {
        fire_failure(Failure(AbandonedError(created_), std::source_location()));
        return;
    }
    add_keeper();
    for (DeferredStage* stage = this; stage; stage = stage->next_stage_) {
        // Nobody is left to unpause it.
        if (stage->called_ && stage->paused_ > 0 && !stage->waiting_on_) {
            stage->paused_ = 0;
            stage->run();
        }
    }
    if (--keepers_ == 0 && handles_ == 0 && feeds_ == 0) destroy_all();
}

DeferredStage* DeferredStage::waited_for() const noexcept {
    for (const DeferredStage* stage = this; stage; stage = stage->next_stage_) {
        if (stage->waiting_on_) return stage->waiting_on_->root_;
    }
    return nullptr;
}

bool DeferredStage::waits_for(const DeferredStage& other) const noexcept {
    for (const DeferredStage* inner = root_; inner; inner = inner->waited_for()) {
        if (inner == other.root_) return true;
    }
    return false;
}

/// Nobody can cancel it, so its canceller is of no use. When nobody can fire what it waits for either, the wait would
/// never end.
void DeferredStage::collect() noexcept {
    if (canceller_) {
        const KeeperLock keeper(*this);
        cancelling_ = true;  // what dies with the canceller may have been the last that could fire it: nobody waits
        std::exchange(canceller_, nullptr)->destroy();
        cancelling_ = false;
        return;
    }
    for (DeferredStage* inner = waited_for(); inner; inner = inner->waited_for()) {
        if (inner->handles_ > 0 || inner->keepers_ != 1) return;
        if (inner->feeds_ == 0) {
            inner->abandon();
            return;
        }
    }
}

void DeferredStage::destroy_all() noexcept {
    DeferredStage* const root = this;
    root->waiting_on_ = nullptr;  // from here on: the next dying Deferred
    (dying.last ? dying.last->waiting_on_ : dying.first) = root;
    dying.last = root;
    if (dying.active) return;
    dying.active = true;
    while (DeferredStage* dead = dying.first) {
        dying.first = dead->waiting_on_;
        if (!dying.first) dying.last = nullptr;
        dead->waiting_on_ = nullptr;
        for (DeferredStage* stage = dead; stage;) {
            DeferredStage* const next = stage->next_stage_;
            if (stage->failure_) stage->report_unhandled();
            while (DeferredLevel* level = stage->first_) {
                stage->first_ = level->next;
                level->discard(*stage);
            }
            if (stage->canceller_) std::exchange(stage->canceller_, nullptr)->destroy();
            stage->destroy();
            stage = next;
        }
    }
    dying.active = false;
}

void DeferredStage::report_unhandled() noexcept {
    try {
        std::string text = "Unhandled error in Deferred created at " + place(created_) + ":\n";
        if (debugging()) text += debug_text(created_, root_->fired_) + "\n";
        log(LogLevel::critical, "deferred", text + failure_.traceback(), failure_.exception());
    } catch (...) {
        log(LogLevel::critical, "deferred", "Unhandled error in Deferred (no memory to describe it)");
    }
}

}  // namespace detail
}  // namespace lariat
