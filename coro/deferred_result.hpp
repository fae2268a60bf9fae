// SPDX-License-Identifier: MIT
// DeferredResult<T>: what a Deferred has when it has fired, a value or a Failure. What add_both callbacks receive.
#pragma once

#include <lariat/io/base/assert.hpp>
#include <lariat/runtime/failure.hpp>

#include <optional>
#include <type_traits>
#include <utility>

namespace lariat {

namespace detail {
/// The value of a Deferred<void>.
struct Unit {};

template <class T>
using value_of = std::conditional_t<std::is_void_v<T>, Unit, T>;
}  // namespace detail

/// A value or a Failure. Returned from a callback it becomes the result, so passing one on needs no distinction:
/// `d.add_both([](DeferredResult<int> result) { close(); return result; })`.
template <class T = void>
class DeferredResult {
public:
    using value_type = T;
    using Value = detail::value_of<T>;

    DeferredResult() requires std::is_void_v<T>
        : value_(std::in_place) {}
    DeferredResult(Value value) : value_(std::move(value)) {}
    DeferredResult(Failure failure) noexcept : failure_(std::move(failure)) {}

    [[nodiscard]] bool has_value() const noexcept { return value_.has_value(); }
    explicit operator bool() const noexcept { return has_value(); }

    /// The value; throws the exception of the failure when there is none.
    Value& value() & {
        if (!value_) failure_.raise();
        return *value_;
    }
    const Value& value() const& {
        if (!value_) failure_.raise();
        return *value_;
    }
    Value value() && {
        if (!value_) failure_.raise();
        return *std::move(value_);
    }
    Value& operator*() & { return value(); }
    const Value& operator*() const& { return value(); }
    Value* operator->() { return &value(); }
    const Value* operator->() const { return &value(); }

    /// Empty when there is a value.
    [[nodiscard]] const Failure& failure() const noexcept { return failure_; }
    /// True when it failed with one of these classes.
    template <class... E>
    [[nodiscard]] bool check() const noexcept {
        return failure_.template check<E...>();
    }

private:
    std::optional<Value> value_;
    Failure failure_;
};

}  // namespace lariat
