// SPDX-License-Identifier: MIT
#include <lariat/coro/sync/wait_queue.hpp>

#include <lariat/runtime/reactor.hpp>

#include <string>

namespace lariat::detail {
namespace {

// Its address tells threads apart.
const void* this_thread() noexcept { return &frame_cache; }

}  // namespace

void WaitQueue::push(QueuedWait& wait) noexcept {
    Reactor& reactor = this_reactor(what_);
    if (empty()) {
        reactor_ = &reactor;
        thread_ = this_thread();
    } else if (reactor_ != &reactor) {
        std::string text = what_;
        text += " was waited for on two reactors; it belongs to one, use call_from_thread() between them";
        LARIAT_PANIC(text);
    }
    waits_.push_back(wait);
}

void WaitQueue::serve(QueuedWait& wait) noexcept {
    check_thread();
    wait.unlink();
    wait.settle();
    reactor_->schedule(wait);
}

void WaitQueue::check_thread() const noexcept {
    if (__builtin_expect(thread_ == this_thread(), 1)) return;
    std::string text = what_;
    text += " was used on another thread than the one that waits for it; use call_from_thread()";
    LARIAT_PANIC(text);
}

void WaitQueue::panic_destroyed() const noexcept {
    std::string text = what_;
    text += " was destroyed while a coroutine waits for it; cancel and join the coroutine first";
    LARIAT_PANIC(text);
}

}  // namespace lariat::detail
