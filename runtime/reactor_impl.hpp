// SPDX-License-Identifier: MIT
// The parts of a Reactor that its header does not show. For reactor*.cpp only.
#pragma once

#include <lariat/io/backend.hpp>
#include <lariat/io/base/intrusive_list.hpp>
#include <lariat/runtime/connection.hpp>
#include <lariat/runtime/delayed_call.hpp>
#include <lariat/runtime/descriptor_watches.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/runtime/resolver.hpp>
#include <lariat/runtime/sender.hpp>
#include <lariat/runtime/shutdown_listener.hpp>
#include <lariat/runtime/signals.hpp>
#include <lariat/runtime/stall_detector.hpp>
#include <lariat/runtime/taped_mail.hpp>
#include <lariat/runtime/thread_pool.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace lariat {

struct Reactor::Impl {
    class Entered;
    struct RetireCalls {
        void operator()(DelayedCalls* retired) const noexcept { retired->retire(); }
    };

    Impl(io::Backend& backend, TimerQueue& timers, Mailbox& mailbox)
        : calls(&DelayedCalls::create(backend, timers)),
          watches(backend),
          simulation(backend.simulation()),
          tape(backend.tape()),
          sender{{io::Sender::Kind::loop, 0, loop_number(tape)}},
          owner(std::this_thread::get_id()) {
        if (tape) taped_mail.emplace(*tape, mailbox, sender.sender);
    }

    static std::uint64_t loop_number(const io::Tape* tape) noexcept;
    /// In whose name the calling thread posts to this loop; outside of run() the loop's thread is the loop, too.
    [[nodiscard]] SenderContext* sender_here() noexcept {
        const bool own = !sender_context && owner.load(std::memory_order_relaxed) == std::this_thread::get_id();
        return own ? &sender : sender_context;
    }
    [[nodiscard]] bool replays() const noexcept { return tape && tape->replays(); }

    std::unique_ptr<DelayedCalls, RetireCalls> calls;
    detail::DescriptorWatches watches;
    io::Simulation* const simulation;     // null on a real system
    io::Tape* const tape;                 // null when nothing is recorded or replayed
    SenderContext sender;                 // in whose name the loop posts
    std::optional<TapedMail> taped_mail;  // with a tape
    Ready fence{[](Ready&) noexcept {}};  // ends the part of the ready queue that a turn found
    IntrusiveList<Connection, DirtyTag> dirty;
    IntrusiveList<Connection, RegistryTag> connections;
    IntrusiveList<ShutdownListener, ShutdownTag> listeners;

    // What a shutdown closes and waits for; what is made meanwhile stays open.
    IntrusiveList<Connection, RegistryTag> closing_connections;
    IntrusiveList<ShutdownListener, ShutdownTag> closing_listeners;
    bool is_ending = false;  // it is being destroyed
    SystemEvents::Hold closing_hold;
    SystemEvents::Hold pool_hold;

    std::unique_ptr<ThreadPool> pool;
    std::vector<Function<void()>> withheld_work;  // that a recorded program took back before it had begun
    std::unique_ptr<Resolver> resolver;
    std::unique_ptr<SignalCatcher> signals;
    std::unique_ptr<StallDetector> stalls;
    Duration stall_limit = Duration::zero();  // zero: stalls are nobody's business

    std::atomic<std::thread::id> owner;  // the thread that made the reactor, then the one that ran it last
    std::uint64_t generation = 0;        // of run(): what an earlier one left behind must not end a later one
    bool started = false;                // inside run() and neither crashed nor done
    bool stopped = true;                 // stop() was called, or run() never
    bool just_stopped = false;           // stop() was called and "shutdown" has not been fired
    bool must_not_block = false;         // crash() was called in this turn
    bool wants_signals = false;          // what run() was told
    bool threads_wanted = false;         // from "during startup" to the end of "during shutdown": the pool works
};

}  // namespace lariat
