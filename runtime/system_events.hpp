// SPDX-License-Identifier: MIT
// SystemEvents: named events with three phases of triggers. "startup" and "shutdown" are the reactor's; any other name
// is its user's. What a before-trigger waits for delays the phases behind it.
//
// Threads: the reactor's.
#pragma once

#include <lariat/io/base/function.hpp>
#include <lariat/runtime/failure.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace lariat {

/// When a trigger of an event runs. An event goes on to `during` when everything its before-triggers wait for is there;
/// `after` follows `during` at once, except that the reactor's own "shutdown" first waits for what it closes.
enum class Phase : std::uint8_t { before, during, after };

class SystemEvents {
    struct Event;
    struct Firing;

public:
    /// A claim on the phase that is going on: the next one starts when the last claim is released or destroyed.
    /// May outlive the SystemEvents; then it means nothing.
    class Hold {
    public:
        Hold() noexcept = default;
        Hold(Hold&&) noexcept = default;
        Hold& operator=(Hold&& other) noexcept;
        ~Hold() { release(); }

        /// Lets go; the next phase may start inside this call.
        void release() noexcept;
        explicit operator bool() const noexcept { return firing_ != nullptr; }

    private:
        friend class SystemEvents;
        explicit Hold(std::shared_ptr<Firing> firing) noexcept;

        std::shared_ptr<Firing> firing_;
    };

    /// Names one trigger that was added, for remove(). Empty when there was nothing to add.
    class Trigger {
    public:
        Trigger() noexcept = default;
        explicit operator bool() const noexcept { return event_ != nullptr; }

    private:
        friend class SystemEvents;
        Trigger(Event& event, Phase phase, std::uint64_t id) noexcept : event_(&event), id_(id), phase_(phase) {}

        Event* event_ = nullptr;
        std::uint64_t id_ = 0;
        Phase phase_ = Phase::before;
    };

    /// What a trigger calls. The Hold is empty in the phases nobody waits in.
    using Function = lariat::Function<void(Hold)>;

    /// What whoever fires an event does himself: first and last in the phase `during`, and when all is over.
    struct Steps {
        Function during_first;
        Function during_last;
        lariat::Function<void()> finished;
    };

    SystemEvents();
    SystemEvents(const SystemEvents&) = delete;
    SystemEvents& operator=(const SystemEvents&) = delete;
    ~SystemEvents();

    /// Triggers of one phase run in the order they were added; each runs once.
    Trigger add(Phase phase, std::string_view event, Function trigger);
    /// Takes a trigger back that has not run. Errors: UsageError when it has run or was removed; for a before-trigger
    /// whose phase is still going on that is only logged, as Twisted does.
    void remove(const Trigger& trigger);
    /// Runs the triggers of `event`; what they throw is logged. Those of the later phases run after this call has
    /// returned when a before-trigger waits for something.
    void fire(std::string_view event) { fire(event, Steps{}); }
    void fire(std::string_view event, Steps steps);

    /// Makes a trigger of `f`. When `f` returns something with add_both(), such as a Deferred, a before-trigger holds
    /// its phase until that fired, with a success or a failure; every other result is dropped.
    template <std::invocable F>
    static Function adapt(F f) {
        return [f = std::move(f)](Hold hold) mutable {
            using Result = std::invoke_result_t<F&>;
            if constexpr (requires(Result result, Release release) { std::move(result).add_both(release); }) {
                Result result = f();
                if (hold) (void)std::move(result).add_both(Release(std::move(hold)));
            } else {
                static_assert(
                    !requires { typename Result::promise_type; },
                    "lariat: a Task that is returned never runs; return ensure_deferred(task)");
                (void)f();
            }
        };
    }

private:
    struct Entry {
        std::uint64_t id;
        Function call;
    };
    struct Event {
        std::deque<Entry> triggers[3];
        std::vector<std::uint64_t> finished_before;  // of the firing whose phase `before` is going on
    };
    struct Firing {
        SystemEvents* events;  // null once they are gone
        Event* event;
        Steps steps;
        std::size_t holds = 0;
        Phase phase = Phase::before;
    };

    // Releases a Hold when called with whatever a Deferred fired with. A failure has been seen then, so it is logged.
    class Release {
    public:
        explicit Release(Hold hold) : hold_(std::make_shared<Hold>(std::move(hold))) {}
        template <class... Results>
        void operator()(Results&&... results) const {
            (report(results), ...);
            hold_->release();
        }

    private:
        template <class Result>
        static void report(const Result& result) {
            if constexpr (requires { log_failed_result(result.failure()); }) {
                if (result.failure()) log_failed_result(result.failure());
            }
        }

        std::shared_ptr<Hold> hold_;
    };

    static void log_failed_result(const Failure& failure) noexcept;
    static void run_phase(Event& event, Phase phase, const std::shared_ptr<Firing>& firing) noexcept;
    static void go_on(const std::shared_ptr<Firing>& firing) noexcept;

    std::map<std::string, std::unique_ptr<Event>, std::less<>> events_;
    std::vector<std::weak_ptr<Firing>> firings_;
    std::uint64_t next_id_ = 1;
};

}  // namespace lariat
