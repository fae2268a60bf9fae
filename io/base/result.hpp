// SPDX-License-Identifier: MIT
// Result<T>: a value or a negative errno, for the layers that do not throw.
#pragma once

#include <lariat/io/base/assert.hpp>

#include <optional>
#include <utility>

namespace lariat {

/// A value, or the errno of why there is none.
template <class T>
class [[nodiscard]] Result {
public:
    Result(T value) : value_(std::move(value)) {}
    /// `error` is a positive errno value.
    static Result failed(int error) {
        LARIAT_ASSERT(error > 0, "a failed Result needs a positive errno");
        return Result(Failed{error});
    }

    explicit operator bool() const noexcept { return value_.has_value(); }
    /// 0 when there is a value.
    [[nodiscard]] int error() const noexcept { return error_; }
    T& operator*() & noexcept { return *value_; }
    const T& operator*() const& noexcept { return *value_; }
    T&& operator*() && noexcept { return *std::move(value_); }
    T* operator->() noexcept { return &*value_; }
    const T* operator->() const noexcept { return &*value_; }

private:
    struct Failed {
        int error;
    };
    explicit Result(Failed failed) noexcept : error_(failed.error) {}

    std::optional<T> value_;
    int error_ = 0;
};

}  // namespace lariat
