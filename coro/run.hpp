// SPDX-License-Identifier: MIT
// run(): the main entry of a program made of Tasks. It runs a reactor until the task, and whatever was spawned, has
// ended.
#pragma once

#include <lariat/coro/join_handle.hpp>
#include <lariat/coro/task.hpp>
#include <lariat/io/base/function.hpp>

#include <type_traits>
#include <utility>

namespace lariat {

namespace detail {

void stop_after_main(Reactor& reactor) noexcept;

/// The task of run(): it stops the reactor at its end.
template <class T>
class MainRoot final : public ResultRoot<T> {
public:
    MainRoot(RootOwner& owner, Task<T> task) noexcept
        : ResultRoot<T>(owner), reactor_(owner.reactor()), main_(std::move(task)) {}

    void begin() noexcept { this->run(std::move(main_)); }

private:
    void settle() noexcept override {
        this->settle_task();
        stop_after_main(reactor_);
    }

    Reactor& reactor_;
    Task<T> main_;
};

/// Errors: ReactorAlreadyRunning.
RootOwner& main_owner(Reactor& reactor);
void run_reactor(Reactor& reactor, Function<void()> begin);
/// The exit status for a task that did not return; prints one line when something escaped it.
int status_without_result(TaskRoot& root) noexcept;

int with_new_reactor(Function<int(Reactor&)> body);

}  // namespace detail

/// Runs `reactor` until `task` has ended, then shuts it down: spawned tasks that are left are cancelled and waited for.
/// Returns the exit status for main: the int that a Task<int> gives, 0 for a Task<>.
///
/// Cancellation: SIGINT (Ctrl-C), SIGTERM and reactor.stop() cancel every task with CancelReason::shutdown. A task that
/// ends because of that was stopped as asked: the status is 0, or what it returns all the same. The same signal once
/// more ends the process at once, with the status a shell gives to signals (130 for Ctrl-C).
/// Errors: an exception that escapes the task gives one line on stderr and status 1. ReactorAlreadyRunning.
template <class T>
requires std::is_void_v<T> || std::is_same_v<T, int>
int run(Reactor& reactor, Task<T> task) {
    auto& root = *new detail::MainRoot<T>(detail::main_owner(reactor), std::move(task));
    root.acquire();
    const JoinHandle<T> keep(root);
    detail::run_reactor(reactor, [&root] { root.begin(); });
    if (!root.is_done() || root.failure()) return detail::status_without_result(root);
    if constexpr (std::is_void_v<T>) {
        return 0;
    } else {
        return root.take();
    }
}

/// The same on a reactor of its own, for `int main() { return run(serve()); }`. LARIAT_BACKEND names its backend; when
/// it cannot be had there is one line on stderr and the status is 1.
template <class T>
int run(Task<T> task) {
    return detail::with_new_reactor([&task](Reactor& reactor) { return run(reactor, std::move(task)); });
}

}  // namespace lariat
