// SPDX-License-Identifier: MIT
#include <lariat/coro/fiber.hpp>

#include <exception>
#include <source_location>
#include <utility>

namespace lariat {

constinit thread_local Fiber* Fiber::current_ = nullptr;

/// What the fiber's coroutine awaits: a turn of the function, up to where it stops. The coroutine counts as suspended
/// all the while, so that whatever the function begins to wait for may resume it at any time: also at once, before the
/// function has stopped.
class Fiber::Turn {
public:
    explicit Turn(Fiber& fiber) noexcept : fiber_(fiber) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    bool await_suspend(Coroutine self) const noexcept { return fiber_.go_on(self); }
    void await_resume() const noexcept {}

private:
    Fiber& fiber_;
};

Task<> Fiber::run() {
    while (!context_.ended()) co_await detail::Hidden(Turn(*this));
    if (failed_) promise().raised().raise();
}

/// True when the coroutine stays where it is.
bool Fiber::go_on(Coroutine self) noexcept {
    if (context_.is_running()) {
        resumed_ = true;
        return true;
    }
    coroutine_ = self;
    entered_at_ = running_place;
    Fiber* const outer = std::exchange(current_, this);
    context_.resume();
    current_ = outer;
    return !context_.ended();
}

void Fiber::enter(void* self) noexcept {
    auto& fiber = *static_cast<Fiber*>(self);
    try {
        fiber.call();
    } catch (...) {
        fiber.note_failure();
    }
}

/// The exception being handled ended the function; the last await has a place in its trace if it came from there.
void Fiber::note_failure() noexcept {
    std::exception_ptr thrown = std::current_exception();
    Failure& raised = promise().raised();
    if (raised.same_exception(thrown)) {
        raised.add_frame(promise().wait_file(), promise().wait_line(), promise().name());
    } else {
        raised = Failure(std::move(thrown), std::source_location());
    }
    failed_ = true;
}

Fiber& Fiber::waiting() noexcept {
    Fiber* const fiber = current_;
    LARIAT_CHECK(fiber != nullptr,
                 "fiber::await() outside of a fiber; write co_await in a coroutine, or call the function that waits "
                 "with co_await in_fiber(function, arguments...)");
    // A coroutine that was resumed or spawned on the fiber's stack has left its place there.
    const bool in_coroutine = fiber->beginning_ || running_place.name != fiber->entered_at_.name
                              || running_place.where.line() != fiber->entered_at_.where.line();
    LARIAT_CHECK(!in_coroutine,
                 "fiber::await() in a coroutine that runs on a fiber's stack: it would stop the fiber in the place of "
                 "the coroutine; write co_await there, or give it a fiber of its own with in_fiber()");
    return *fiber;
}

}  // namespace lariat
