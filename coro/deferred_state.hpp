// SPDX-License-Identifier: MIT
// The state behind Deferred handles, without its result type: the list of levels, the loop that runs them, pausing,
// cancellation, reference counts and the report of failures nobody handled.
//
// One Deferred is one DeferredStage, or several in a row when callbacks change the result type; the first one, the
// root, counts the references of all. Three kinds of holders are counted apart, because they mean different things:
//   handles   Deferred objects: can fire it, add to it, cancel it
//   feeds     those who will certainly fire or continue it: the coroutine behind it, the Deferred it waits for
//   keepers   those who only need the memory: waiters, running loops
// Without handles and feeds nobody can fire it any more; those who still wait are then told so (AbandonedError).
#pragma once

#include <lariat/coro/cancel.hpp>
#include <lariat/coro/deferred_error.hpp>
#include <lariat/coro/frame_allocator.hpp>
#include <lariat/runtime/failure.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string>
#include <type_traits>
#include <utility>

namespace lariat::detail {

class DeferredStage;

/// An object in recycled memory. Its class gives the memory back, with release_frame.
template <class Object, class... A>
Object* new_in_frame(A&&... arguments) {
    void* const memory = allocate_frame(sizeof(Object));
    try {
        return ::new (memory) Object(std::forward<A>(arguments)...);
    } catch (...) {
        release_frame(memory, sizeof(Object));
        throw;
    }
}

/// One entry of a Deferred's list: a pair of callbacks, or somebody who waits for the result.
class DeferredLevel {
public:
    /// Does its work on the stage's result and disposes of itself. Returns the stage to run next, with a keeper held
    /// for the caller, or null to go on with this one.
    virtual DeferredStage* run(DeferredStage& stage) noexcept = 0;
    /// Disposes of itself without having run.
    virtual void discard(DeferredStage& stage) noexcept = 0;

    DeferredLevel* next = nullptr;

protected:
    ~DeferredLevel() = default;
};

/// The function that cancels the source of a Deferred.
class DeferredCanceller {
public:
    /// False: the source will certainly fire it, now or later; it is not failed with Cancelled.
    virtual bool call(DeferredStage& stage) = 0;
    virtual void destroy() noexcept = 0;

protected:
    ~DeferredCanceller() = default;
};

class DeferredStage {
public:
    DeferredStage(const DeferredStage&) = delete;
    DeferredStage& operator=(const DeferredStage&) = delete;

    /// There is more than one handle.
    [[nodiscard]] bool is_shared() const noexcept { return root_->handles_ > 1; }
    void add_handle() noexcept { ++root_->handles_; }
    void add_feed() noexcept { ++root_->feeds_; }
    void add_keeper() noexcept { ++root_->keepers_; }
    void release_handle() noexcept {
        if (--root_->handles_ == 0) root_->let_go();
    }
    void release_feed() noexcept {
        if (--root_->feeds_ == 0 && root_->handles_ == 0) root_->let_go();
    }
    void release_keeper() noexcept {
        if (--root_->keepers_ == 0 && root_->handles_ == 0) root_->let_go();
    }
    /// A handle in the frame of a coroutine that waits for it can do nothing until the coroutine goes on.
    void lend_handle() noexcept { --root_->handles_; }
    void return_handle() noexcept { ++root_->handles_; }
    /// Turns a handle into a keeper: from now on its owner only waits.
    void handle_to_keeper() noexcept {
        ++root_->keepers_;
        --root_->handles_;
    }

    /// Prepares firing: throws AlreadyCalledError; false when this firing is to be dropped.
    bool begin_fire(const std::source_location& where) {
        if (called_ || coroutine_ || upstream_) [[unlikely]]
            return refuse_fire();
        called_ = true;
        fired_ = where;
        if (canceller_) std::exchange(canceller_, nullptr)->destroy();
        return true;
    }
    /// Fails it, if it has not been fired, and runs its callbacks.
    void fire_failure(Failure failure) noexcept;

    /// Runs what can be run, when it has been fired; nested calls for the same stage return at once.
    void run() noexcept {
        if (!called_ || running_ || paused_ > 0 || !first_) return;
        run_levels();
    }
    void append(DeferredLevel& level) noexcept {
        *last_ = &level;
        last_ = &level.next;
    }

    /// Takes a level out, should it be in the list.
    void remove(DeferredLevel& level) noexcept;

    void cancel(CancelReason reason);
    void pause() noexcept { ++paused_; }
    void unpause() noexcept {
        --paused_;
        run();
    }

    [[nodiscard]] bool called() const noexcept;
    [[nodiscard]] int paused() const noexcept { return paused_; }
    [[nodiscard]] bool running() const noexcept { return running_; }
    /// Fired, and neither held, nor waiting for another one, nor inside a callback, which has the result meanwhile.
    [[nodiscard]] bool is_ready() const noexcept { return called_ && paused_ == 0 && !running_; }
    [[nodiscard]] bool is_idle() const noexcept { return is_ready() && !first_; }
    [[nodiscard]] bool has_levels() const noexcept { return first_ != nullptr; }
    /// True when this Deferred, which is about to wait for `inner`, is what `inner` waits for: neither would ever fire.
    /// `keepers` are the caller's own. Looks only when somebody waits for this one, so that chains grow in constant
    /// time per link.
    [[nodiscard]] bool would_deadlock(const DeferredStage& inner, std::uint32_t keepers) const noexcept {
        return same_deferred(inner) || (root_->keepers_ > keepers && inner.waits_for(*this));
    }
    [[nodiscard]] const Failure& failure() const noexcept { return failure_; }
    [[nodiscard]] const std::source_location& created() const noexcept { return created_; }
    /// "<Deferred at 0x..>" with what it waits for, or `result` when it has one.
    [[nodiscard]] std::string describe(const std::string& result) const;
    [[nodiscard]] bool same_deferred(const DeferredStage& other) const noexcept { return root_ == other.root_; }

    void set_created(const std::source_location& where) noexcept { created_ = where; }
    void set_canceller(DeferredCanceller* canceller) noexcept { canceller_ = canceller; }
    void set_waiting_on(DeferredStage* inner) noexcept { waiting_on_ = inner; }
    void set_running(bool on) noexcept { running_ = on; }
    void set_failure(Failure failure) noexcept { failure_ = std::move(failure); }
    Failure take_failure() noexcept { return std::move(failure_); }

    /// The coroutine that fires it; cancelling is passed on to what the coroutine waits for.
    void set_coroutine(CancelContext& context) noexcept { coroutine_ = &context; }
    /// Null when there is none, or it has ended.
    [[nodiscard]] const CancelContext* coroutine() const noexcept { return coroutine_; }
    /// The coroutine has ended and its result is stored. Gives the feed back that the coroutine held.
    void finish_coroutine(CancelContext& context) noexcept;

    /// Marks it fired with what has been stored, and returns it to be run next when there is something to run.
    /// `as_call`: as if the stage before had called it, which goes on as soon as this one stops, whatever stops it.
    DeferredStage* continue_with_result(bool as_call) noexcept {
        called_ = true;
        if (!first_ || paused_ > 0) return nullptr;
        add_keeper();
        run_as_call_ = as_call;
        return this;
    }
    /// It pauses until `inner` has a result. A keeper of `inner` is handed over by the caller.
    void wait_for(DeferredStage& inner) noexcept {
        ++paused_;
        waiting_on_ = &inner;
    }
    /// What it waited for has been stored as its result. Always returns it, with a keeper, to be run next.
    DeferredStage* end_wait_for(DeferredStage& inner) noexcept {
        waiting_on_ = nullptr;
        --paused_;
        add_keeper();
        run_as_call_ = false;
        release_feed();
        inner.release_keeper();
        return this;
    }
    /// This stage gets its result from a callback of `upstream`: it becomes part of the same Deferred.
    void attach_to(DeferredStage& upstream) noexcept;

    /// Makes a level, in the room inside the stage when that is free.
    template <class Level, class... A>
    Level& make_level(A&&... arguments) {
        static_assert(alignof(Level) <= alignof(std::max_align_t), "lariat: capture over-aligned objects by pointer");
        void* const memory = allocate_level(sizeof(Level));
        if constexpr (std::is_nothrow_constructible_v<Level, A...>) {
            return *::new (memory) Level(std::forward<A>(arguments)...);
        } else {
            try {
                return *::new (memory) Level(std::forward<A>(arguments)...);
            } catch (...) {
                release_level(memory, sizeof(Level));
                throw;
            }
        }
    }
    void release_level(void* memory, std::size_t size) noexcept {
        if (memory == static_cast<void*>(room_)) {
            room_taken_ = false;
        } else {
            release_frame(memory, size);
        }
    }

protected:
    explicit DeferredStage(const std::source_location& where) noexcept : created_(where) {}
    ~DeferredStage() = default;

private:
    static constexpr std::size_t level_room = 72;  // a level with 48 bytes of captures

    virtual void destroy() noexcept = 0;

    void* allocate_level(std::size_t size) {
        if (size <= level_room && !room_taken_) {
            room_taken_ = true;
            return room_;
        }
        return allocate_frame(size);
    }
    DeferredLevel* pop_level() noexcept {
        DeferredLevel* const level = first_;
        if (level && !(first_ = level->next)) last_ = &first_;
        return level;
    }
    void run_levels() noexcept;
    void run_chain(DeferredStage* next) noexcept;
    bool refuse_fire();
    bool call_canceller();
    void let_go() noexcept;
    void abandon() noexcept;
    void collect() noexcept;
    void destroy_all() noexcept;
    void report_unhandled() noexcept;
    [[nodiscard]] DeferredStage* waited_for() const noexcept;
    [[nodiscard]] bool waits_for(const DeferredStage& other) const noexcept;

    DeferredStage* root_ = this;
    std::uint32_t handles_ = 0;  // these three count in the root only
    std::uint32_t feeds_ = 0;
    std::uint32_t keepers_ = 0;
    std::int32_t paused_ = 0;
    DeferredLevel* first_ = nullptr;
    DeferredLevel** last_ = &first_;
    DeferredStage* waiting_on_ = nullptr;
    DeferredStage* upstream_ = nullptr;    // whose callback gives this stage its result
    DeferredStage* next_stage_ = nullptr;  // of the same Deferred; in a dying root: the next dying root
    DeferredCanceller* canceller_ = nullptr;
    CancelContext* coroutine_ = nullptr;
    Failure failure_;
    std::source_location created_;
    std::source_location fired_;
    bool called_ = false;
    bool suppress_already_called_ = false;
    bool running_ = false;
    bool cancelling_ = false;
    bool run_as_call_ = false;  // read by the loop this was returned to
    bool room_taken_ = false;
    alignas(std::max_align_t) std::byte room_[level_room];
};

/// Resumes a coroutine that waited for a stage. When the Deferred coroutine that owns `context` ends during this, its
/// Deferred is returned, with a keeper, instead of being run inside: deep nests of waiting coroutines complete in a
/// loop.
DeferredStage* resume_waiter(std::coroutine_handle<> waiter, CancelContext& context) noexcept;

}  // namespace lariat::detail
