// SPDX-License-Identifier: MIT
// TaskGroup: Tasks that run side by side until one of them decides, what when_all(), when_any() and race() are made of.
// The others are then cancelled and waited for. Not for users.
#pragma once

#include <lariat/coro/call_root.hpp>
#include <lariat/coro/deferred_result.hpp>
#include <lariat/coro/operation.hpp>

#include <coroutine>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace lariat::detail {

class RunGroup;

class TaskGroup final : public RootOwner {
public:
    /// What decides: the first Task that fails, that succeeds, or that ends.
    enum class Until : std::uint8_t { failure, success, end };

    explicit TaskGroup(Until until) noexcept : RootOwner(this_reactor("waiting for tasks")), until_(until) {}
    ~TaskGroup() = default;

    /// Null when nothing was decided.
    [[nodiscard]] const TaskRoot* decided_by() const noexcept { return decided_by_; }
    /// Whoever waits for the group was cancelled.
    [[nodiscard]] bool cancelled_from_outside() const noexcept { return cancelled_from_outside_; }

private:
    friend RunGroup;

    [[nodiscard]] bool decides(const TaskRoot& root) const noexcept;
    void root_ended(TaskRoot& root) noexcept override;

    RunGroup* waiting_ = nullptr;
    const TaskRoot* decided_by_ = nullptr;
    Until until_;
    bool cancelled_from_outside_ = false;
};

template <class T>
class GroupRoot final : public ResultRoot<T> {
public:
    GroupRoot(TaskGroup& group, Task<T> task) noexcept : ResultRoot<T>(group), member_(std::move(task)) {}

    void begin() noexcept { this->run(std::move(member_)); }

private:
    void settle() noexcept override { this->settle_task(); }

    Task<T> member_;
};

/// A Task of a group, and its result.
template <class T>
class GroupMember {
public:
    using Value = value_of<T>;

    GroupMember(TaskGroup& group, Task<T> task) : root_(new GroupRoot<T>(group, std::move(task))) { root_->acquire(); }
    GroupMember(GroupMember&& other) noexcept
        : root_(std::exchange(other.root_, nullptr)), begun_(std::exchange(other.begun_, false)) {}
    GroupMember& operator=(GroupMember&&) = delete;
    ~GroupMember() {
        if (!root_) return;
        drop();
        root_->release();
    }

    /// Once the group has decided, those that have not begun never do.
    void begin(const TaskGroup& group) noexcept {
        if (group.decided_by()) {
            drop();
        } else {
            begun_ = true;
            root_->begin();
        }
    }
    [[nodiscard]] bool decided(const TaskGroup& group) const noexcept { return group.decided_by() == root_; }
    [[nodiscard]] const Failure& failure() const noexcept { return root_->failure(); }
    /// The result, or throws what the Task ended with.
    Value take() const {
        if constexpr (std::is_void_v<T>) {
            root_->take();
            return {};
        } else {
            return root_->take();
        }
    }

private:
    void drop() noexcept {
        if (std::exchange(begun_, true)) return;
        root_->unlink();
        root_->release();  // what the running Task would have held
    }

    GroupRoot<T>* root_;
    bool begun_ = false;  // or dropped
};

/// Begins the members and waits until all of them have ended. A cancellation is handed on to them.
class RunGroup : public Awaiter {
public:
    explicit RunGroup(TaskGroup& group) noexcept : group_(group) {}

    AwaitInPlace<RunGroup> operator co_await() && noexcept { return AwaitInPlace<RunGroup>(*this); }

    template <LariatPromise P>
    bool await_suspend(std::coroutine_handle<P> waiter) noexcept {
        raised_ = &waiter.promise().raised();
        if (const CancelContext& context = *waiter.promise().context(); context.is_cancelled())
            cancel(context.reason());
        begin_members();
        if (!group_.has_roots()) return false;
        group_.waiting_ = this;
        suspend_here(waiter);
        return true;
    }
    /// Leaves what decided with its trace, for whoever throws it.
    void await_resume() const noexcept {
        if (group_.decided_by()) *raised_ = group_.decided_by()->failure();
    }
    void ended() noexcept { resume(); }

protected:
    ~RunGroup() = default;

    virtual void begin_members() noexcept = 0;
    TaskGroup& group_;

private:
    void cancel(CancelReason reason) noexcept final {
        group_.cancelled_from_outside_ = true;
        group_.cancel_roots(reason);
    }

    WaitInfo info() const noexcept final { return {.verb = "several tasks", .children = &group_}; }

    Failure* raised_ = nullptr;
};

/// `each(visit)` calls `visit(member)` for every member.
template <class Each>
class RunMembers final : public RunGroup {
public:
    RunMembers(TaskGroup& group, const Each& each) noexcept : RunGroup(group), each_(each) {}

private:
    void begin_members() noexcept override {
        each_([this](auto& member) { member.begin(group_); });
    }

    const Each& each_;
};

}  // namespace lariat::detail
