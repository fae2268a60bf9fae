// SPDX-License-Identifier: MIT
// What a test says about Deferreds that are fired already: success_result_of(), failure_result_of(),
// assert_no_result(), and assert_failure() for those that are not (Twisted: trial's SynchronousTestCase). They throw
// AssertionFailed, which every test framework reports with its text.
#pragma once

#include <lariat/coro/deferred.hpp>
#include <lariat/io/base/error.hpp>
#include <lariat/runtime/failure.hpp>

#include <initializer_list>
#include <optional>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace lariat::testing {

/// A test's expectation did not hold. Not for catching.
class AssertionFailed : public Error {
public:
    using Error::Error;
};

namespace detail {

/// "lariat::ConnectionDone or lariat::ConnectionLost".
std::string class_names(std::initializer_list<const std::type_info*> types);
[[noreturn]] void wrong_failure(std::initializer_list<const std::type_info*> expected, const std::string& deferred,
                                const Failure& found);

/// Takes the result of a Deferred that has one; nothing when it has none.
template <class T>
std::optional<DeferredResult<T>> take_result(const Deferred<T>& deferred) {
    if (!lariat::detail::DeferredAccess::state(deferred)->is_ready()) return std::nullopt;
    std::optional<DeferredResult<T>> taken;
    Deferred<T>(deferred).add_both([&taken](DeferredResult<T> result) { taken.emplace(std::move(result)); });
    return taken;
}

}  // namespace detail

/// The value of a Deferred that has fired with one; the Deferred keeps nothing, as when it is awaited.
/// Errors: AssertionFailed when it has failed, with the traceback, or has no result yet.
template <class T>
T success_result_of(const Deferred<T>& deferred) {
    const std::string what = deferred.str();
    std::optional<DeferredResult<T>> result = detail::take_result(deferred);
    if (!result) throw AssertionFailed("Success result expected on " + what + ", found no result instead");
    if (!result->has_value()) {
        throw AssertionFailed("Success result expected on " + what + ", found failure result instead:\n"
                              + result->failure().traceback());
    }
    if constexpr (!std::is_void_v<T>) return std::move(**result);
}

/// The failure of a Deferred that has failed, with one of the classes E when any are given. It counts as handled.
/// Errors: AssertionFailed when it has a value, no result yet, or has failed with something else.
template <class... E, class T>
Failure failure_result_of(const Deferred<T>& deferred) {
    const std::string what = deferred.str();
    const std::optional<DeferredResult<T>> result = detail::take_result(deferred);
    if (!result) throw AssertionFailed("Failure result expected on " + what + ", found no result instead");
    if (result->has_value()) {
        throw AssertionFailed("Failure result expected on " + what + ", found success result instead");
    }
    if constexpr (sizeof...(E) > 0) {
        if (!result->failure().template check<E...>()) detail::wrong_failure({&typeid(E)...}, what, result->failure());
    }
    return result->failure();
}

/// Errors: AssertionFailed when `deferred` has a result; a failure then counts as handled.
template <class T>
void assert_no_result(const Deferred<T>& deferred) {
    const auto& state = *lariat::detail::DeferredAccess::state(deferred);
    if (!state.is_ready()) return;
    if (!state.failure()) throw AssertionFailed("No result expected on " + deferred.str());
    throw AssertionFailed("No result expected on " + deferred.str() + ", found failure result instead:\n"
                          + detail::take_result(deferred)->failure().traceback());
}

/// Fires with the exception when `deferred` fails with an E, or something derived from it, and fails with
/// AssertionFailed when it gives a value or fails with anything else:
/// `const UserError error = co_await assert_failure<UserError>(connecting);`
template <class E, class T>
[[nodiscard]] Deferred<E> assert_failure(Deferred<T> deferred) {
    return std::move(deferred).add_both([](DeferredResult<T> result) -> E {
        if (result.has_value()) {
            throw AssertionFailed(detail::class_names({&typeid(E)}) + " not raised, found success result instead");
        }
        if (!result.template check<E>()) detail::wrong_failure({&typeid(E)}, "", result.failure());
        return *result.failure().template value<E>();
    });
}

}  // namespace lariat::testing
