// SPDX-License-Identifier: MIT
// What can go wrong with a Deferred itself, and the debugging switch of the family.
#pragma once

#include <lariat/coro/cancel.hpp>
#include <lariat/io/base/error.hpp>

#include <source_location>

namespace lariat {

/// What cancelled Deferreds fail with, under the name that Twisted gives it.
using CancelledError = Cancelled;

/// A Deferred was fired a second time.
class AlreadyCalledError : public UsageError {
public:
    using UsageError::UsageError;
};

/// The last handle that could have fired a Deferred is gone while a coroutine or another Deferred waits for it.
class AbandonedError : public Error {
public:
    /// Of a Deferred created there.
    explicit AbandonedError(const std::source_location& created);
};

/// The result was handed to another Deferred or to a coroutine, and its type has no empty value to give in its place.
class ResultTakenError : public UsageError {
public:
    ResultTakenError();
};

/// With debugging, AlreadyCalledError and the report of an unhandled error also say where the Deferred was created
/// ("C:") and first fired ("I:"). For the whole process, off at first.
void set_debugging(bool on) noexcept;
[[nodiscard]] bool debugging() noexcept;

}  // namespace lariat
