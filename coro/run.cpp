// SPDX-License-Identifier: MIT
#include <lariat/coro/run.hpp>

#include <lariat/coro/spawned_roots.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/runtime/failure.hpp>
#include <lariat/runtime/reactor.hpp>

#include <csignal>
#include <cstdio>
#include <string>

namespace lariat::detail {
namespace {

void print_line(const std::string& text) noexcept { std::fprintf(stderr, "%s\n", text.c_str()); }

}  // namespace

void stop_after_main(Reactor& reactor) noexcept {
    if (SpawnedRoots::of(reactor).is_shutting_down()) return;  // that is why the task has ended
    try {
        reactor.stop();
    } catch (const ReactorNotRunning&) {
        // Stopped in this very turn.
    }
}

RootOwner& main_owner(Reactor& reactor) {
    if (reactor.running() || Reactor::current() == &reactor) throw ReactorAlreadyRunning();
    return SpawnedRoots::of(reactor);
}

void run_reactor(Reactor& reactor, Function<void()> begin) {
    reactor.call_when_running(std::move(begin));
    // Whoever asks twice does not want to wait for the drain.
    reactor.add_system_event_trigger(Phase::before, "shutdown", [&reactor] {
        const int signal = reactor.exit_signal();
        if (signal != 0 && !reactor.shares_process()) std::signal(signal, SIG_DFL);
    });
    reactor.run();
}

int status_without_result(TaskRoot& root) noexcept {
    root.set_observed();
    if (!root.is_done()) {
        print_line("error: the reactor was stopped by crash() before the task had ended");
        return 1;
    }
    const Failure& failure = root.failure();
    const auto* cancelled = failure.value<Cancelled>();
    if (cancelled && cancelled->reason() == CancelReason::shutdown) return 0;
    print_line("error: " + failure.type_name() + ": " + failure.error_message());
    return 1;
}

int with_new_reactor(Function<int(Reactor&)> body) {
    try {
        Reactor reactor;
        return body(reactor);
    } catch (const std::exception& error) {
        print_line(std::string("error: ") + error.what());
        return 1;
    }
}

}  // namespace lariat::detail
