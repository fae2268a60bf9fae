// SPDX-License-Identifier: MIT
// patch(): another value for something while a test runs (Twisted: trial's patch).
#pragma once

#include <utility>

namespace lariat::testing {

/// Puts the value of before back when it goes.
template <class T>
class [[nodiscard]] Patch {
public:
    template <class U>
    Patch(T& object, U&& value) : object_(object), before_(std::exchange(object, std::forward<U>(value))) {}
    Patch(const Patch&) = delete;
    Patch& operator=(const Patch&) = delete;
    ~Patch() { restore(); }

    /// Puts it back now; again does nothing.
    void restore() noexcept {
        if (!std::exchange(restored_, true)) object_ = std::move(before_);
    }

private:
    T& object_;
    T before_;
    bool restored_ = false;
};

/// Sets `object` to `value` as long as what it returns lives: `const auto patched = patch(limit, 3);`
/// Lifetime: `object` must outlive that.
template <class T, class U>
Patch<T> patch(T& object, U&& value) {
    return Patch<T>(object, std::forward<U>(value));
}

}  // namespace lariat::testing
