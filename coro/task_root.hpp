// SPDX-License-Identifier: MIT
// TaskRoot: a Task that nobody awaits, its function and arguments, its cancel context, and its result until the
// JoinHandle has taken it. What spawn(), TaskScope and run() are made of; not for users.
//
// A root is kept alive by the running Task and by its JoinHandle. The frame and the arguments are destroyed before
// anybody hears of the end, so that nothing of a child outlives the scope that waited for it.
//
// Threads: the reactor's.
#pragma once

#include <lariat/coro/task.hpp>
#include <lariat/io/base/clock.hpp>
#include <lariat/io/base/intrusive_list.hpp>
#include <lariat/runtime/failure.hpp>
#include <lariat/runtime/ready.hpp>

#include <cstdint>
#include <exception>
#include <utility>

namespace lariat {

class Reactor;

namespace detail {

class TaskRoot;

/// Who a root belongs to: a TaskScope, or the spawned roots of a reactor.
class RootOwner {
public:
    explicit RootOwner(Reactor& reactor) noexcept : reactor_(&reactor) {}
    RootOwner(const RootOwner&) = delete;
    RootOwner& operator=(const RootOwner&) = delete;

    [[nodiscard]] Reactor& reactor() noexcept { return *reactor_; }
    [[nodiscard]] bool has_roots() const noexcept { return !roots_.empty(); }
    /// The oldest first.
    [[nodiscard]] const IntrusiveList<TaskRoot>& roots() const noexcept { return roots_; }
    [[nodiscard]] bool is_cancelled() const noexcept { return cancelled_; }
    [[nodiscard]] CancelReason cancel_reason() const noexcept { return reason_; }
    /// Cancels every root, and those that come later before they start.
    void cancel_roots(CancelReason reason) noexcept;

    /// `root` has ended and is in the list no more.
    virtual void root_ended(TaskRoot& root) noexcept = 0;

protected:
    ~RootOwner() = default;
    void forget_cancellation() noexcept { cancelled_ = false; }

    friend class TaskRoot;
    IntrusiveList<TaskRoot> roots_;

private:
    Reactor* reactor_;
    CancelReason reason_ = CancelReason::requested;
    bool cancelled_ = false;
};

/// Who waits for a root.
class RootJoiner {
public:
    virtual void joined() noexcept = 0;

protected:
    ~RootJoiner() = default;
};

class TaskRoot : public TaskEnd, public ListHook<> {
public:
    TaskRoot(const TaskRoot&) = delete;
    TaskRoot& operator=(const TaskRoot&) = delete;

    /// The Task hears of it from the loop, never inside this call; the first reason wins.
    void cancel(CancelReason reason) noexcept;
    /// True when the frame is gone and the result can be taken.
    [[nodiscard]] bool is_done() const noexcept { return done_; }
    /// Empty when it has not failed.
    [[nodiscard]] const Failure& failure() const noexcept { return failure_; }
    /// Somebody knows of the failure: it need not be logged.
    void set_observed() noexcept { observed_ = true; }
    /// True when it failed with anything but Cancelled.
    [[nodiscard]] bool has_failed() const noexcept;
    /// Logs the failure with its trace, and what became of it.
    void log_failure(const char* consequence) const noexcept;

    /// For those who look at the tree of tasks: how it waits, its coroutine (null before the start and after the end),
    /// and the turn of the loop it was made in.
    [[nodiscard]] const CancelContext& context() const noexcept { return context_; }
    [[nodiscard]] const PromiseBase* coroutine() const noexcept { return ended_ ? nullptr : coroutine_; }
    [[nodiscard]] TimePoint made_at() const noexcept { return made_at_; }

    /// At most one waits at a time.
    void set_joiner(RootJoiner* joiner) noexcept { joiner_ = joiner; }
    [[nodiscard]] RootJoiner* joiner() const noexcept { return joiner_; }

    void acquire() noexcept { ++references_; }
    void release() noexcept {
        if (--references_ == 0) dispose();
    }

    static void* operator new(std::size_t size) { return allocate_frame(size); }
    static void operator delete(void* memory, std::size_t size) noexcept { release_frame(memory, size); }

protected:
    /// Joins `owner`; begins with one reference, the running Task's.
    explicit TaskRoot(RootOwner& owner) noexcept;
    virtual ~TaskRoot() = default;

    /// Runs the Task until its first wait. `task` is a handle the derived class keeps.
    template <class Handle>
    void start(Handle task) noexcept {
        TaskPromiseBase& promise = task.promise();
        promise.set_context(context_);
        coroutine_ = &promise;
        starting_ = true;
        {
            const Running running(promise);
            promise.start_rooted(task, *this);
        }
        starting_ = false;
        if (ended_) finish();
    }
    /// The Task could not be made: `failure` is how it ended.
    void fail_to_start(std::exception_ptr failure) noexcept;
    /// Takes the result or the failure out of the Task, destroys its frame and what it was called with.
    virtual void settle() noexcept = 0;
    void set_failure(Failure failure) noexcept { failure_ = std::move(failure); }

private:
    class Later : public Ready {
    public:
        explicit Later(TaskRoot& root) noexcept : Ready(run), root_(root) {}

    private:
        static void run(Ready& ready) noexcept { static_cast<Later&>(ready).root_.run_later(); }
        TaskRoot& root_;
    };

    void task_ended() noexcept final;
    void run_later() noexcept;
    void finish() noexcept;
    void dispose() noexcept;

    const PromiseBase* coroutine_ = nullptr;
    TimePoint made_at_;
    Later later_;  // a cancellation to deliver, or the end to be dealt with: never inside the Task itself
    CancelContext context_{true};
    RootOwner* owner_;
    RootJoiner* joiner_ = nullptr;
    Failure failure_;
    std::uint32_t references_ = 1;
    bool starting_ = false;
    bool ended_ = false;
    bool done_ = false;
    bool observed_ = false;
};

}  // namespace detail
}  // namespace lariat
