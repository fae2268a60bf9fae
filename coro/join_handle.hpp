// SPDX-License-Identifier: MIT
// JoinHandle<T>: observes a spawned Task: awaits its result, cancels it, or lets it go.
#pragma once

#include <lariat/coro/call_root.hpp>
#include <lariat/coro/operation.hpp>

#include <utility>

namespace lariat {

namespace detail {

template <class T>
class JoinTask final : public Operation<JoinTask<T>>, public RootJoiner {
public:
    explicit JoinTask(ResultRoot<T>& root, Failure* raised = nullptr) noexcept : root_(root), raised_(raised) {
        root_.acquire();
    }
    ~JoinTask() { root_.release(); }

    T await_resume() {
        this->check();
        if (raised_ && root_.failure()) *raised_ = root_.failure();
        return root_.take();
    }

    friend JoinTask&& await_in(PromiseBase& promise, JoinTask&& join) noexcept {
        join.raised_ = &promise.raised();
        return std::move(join);
    }

private:
    friend Operation<JoinTask<T>>;

    bool begin() noexcept {
        if (root_.is_done()) return true;
        LARIAT_CHECK(root_.joiner() == nullptr, "two coroutines wait for one task; join a task once");
        root_.set_joiner(this);
        return false;
    }
    void joined() noexcept override { this->finish(); }
    bool withdraw() noexcept override { return root_.set_joiner(nullptr), true; }
    const char* verb() const noexcept override { return "join"; }

    ResultRoot<T>& root_;
    Failure* raised_;
};

}  // namespace detail

/// Observes a spawned task. Letting the handle go detaches the task: it runs on, and a failure is then logged with its
/// origin.
template <class T = void>
class JoinHandle {
public:
    JoinHandle() noexcept = default;
    /// Takes over one reference.
    explicit JoinHandle(detail::ResultRoot<T>& root) noexcept : root_(&root) {}
    JoinHandle(JoinHandle&& other) noexcept : root_(std::exchange(other.root_, nullptr)) {}
    JoinHandle& operator=(JoinHandle&& other) noexcept {
        if (this != &other) {
            if (root_) root_->release();
            root_ = std::exchange(other.root_, nullptr);
        }
        return *this;
    }
    ~JoinHandle() {
        if (root_) root_->release();
    }

    /// Waits for the end; gives the task's result or throws what it threw. Once.
    ///
    /// Cancellation: ends the wait, not the task.
    auto operator co_await() const noexcept { return detail::JoinTask<T>(root()); }
    friend detail::JoinTask<T> await_in(detail::PromiseBase& promise, const JoinHandle& handle) noexcept {
        return detail::JoinTask<T>(handle.root(), &promise.raised());
    }
    /// The same with a limit: `co_await job.join().within(5s)`. A deadline that passes ends the wait, not the task.
    [[nodiscard]] detail::JoinTask<T> join() const noexcept { return detail::JoinTask<T>(root()); }

    /// Interrupts what the task waits for, and refuses its further waits. It ends soon, never inside this call.
    void cancel(CancelReason reason = CancelReason::requested) const noexcept { root().cancel(reason); }
    [[nodiscard]] bool is_done() const noexcept { return root().is_done(); }
    /// False after a move.
    [[nodiscard]] bool is_valid() const noexcept { return root_ != nullptr; }

private:
    detail::ResultRoot<T>& root() const noexcept {
        LARIAT_CHECK(root_ != nullptr, "this JoinHandle is empty: it was moved from, or never came from spawn()");
        return *root_;
    }

    detail::ResultRoot<T>* root_ = nullptr;
};

namespace detail {

/// Makes a root, begins it, and gives the handle that observes it.
template <class F, class... A>
auto begin_root(RootOwner& owner, F&& function, A&&... arguments) {
    using T = spawn_result<F, A...>;
    auto& root = *new CallRoot<T, std::decay_t<F>, std::decay_t<A>...>(owner, std::forward<F>(function),
                                                                       std::forward<A>(arguments)...);
    root.acquire();  // the handle's; taken before the Task may end
    JoinHandle<T> handle(root);
    root.begin();
    return handle;
}

}  // namespace detail
}  // namespace lariat
