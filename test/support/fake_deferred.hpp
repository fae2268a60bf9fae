// SPDX-License-Identifier: MIT
// FakeDeferred: takes one callback, as a Deferred does, and calls it when told; for tests of the layers below coro.
#pragma once

#include <lariat/io/base/function.hpp>
#include <lariat/runtime/failure.hpp>

#include <memory>
#include <utility>

namespace lariat::test {

/// What it fires with.
struct FakeResult {
    [[nodiscard]] const Failure& failure() const noexcept { return failure_; }
    Failure failure_;
};

/// Copies share one callback, so that a test can keep one and return the other.
class FakeDeferred {
public:
    template <class F>
    void add_both(F f) && {
        *callback_ = std::move(f);
    }

    /// Succeeds.
    void fire() { std::exchange(*callback_, {})(FakeResult()); }
    void fail(const Failure& failure) { std::exchange(*callback_, {})(FakeResult{failure}); }
    [[nodiscard]] bool has_callback() const { return static_cast<bool>(*callback_); }

private:
    std::shared_ptr<Function<void(FakeResult)>> callback_ = std::make_shared<Function<void(FakeResult)>>();
};

}  // namespace lariat::test
