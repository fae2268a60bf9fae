// SPDX-License-Identifier: MIT
// Failure: an exception as a value, with where it came from and which coroutines it passed through. What errbacks and
// `connection_lost` receive.
#pragma once

#include <lariat/io/base/error.hpp>

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace lariat {

class Failure;

/// `Failure::current()` or `errback()` without arguments while no exception is being handled.
class NoCurrentExceptionError : public UsageError {
public:
    NoCurrentExceptionError() : UsageError("there is no exception being handled to make a Failure of") {}
};

namespace detail {

/// One place a failure passed through. The oldest node of a chain is the origin and owns the exception.
struct FailureNode {
    std::atomic<std::uint32_t> references{1};
    std::uint32_t line = 0;
    const char* file = nullptr;
    const char* function = nullptr;
    FailureNode* previous = nullptr;  // towards the origin
    FailureNode* origin = nullptr;
};

void destroy_failure(FailureNode* node) noexcept;

/// The object inside an exception_ptr and its dynamic type.
const std::type_info& exception_type(const std::exception_ptr& exception) noexcept;
const void* exception_object(const std::exception_ptr& exception) noexcept;

/// Where the `wanted` part of an object of class `actual` lies, null when it has none. Class types only; costs what
/// the search for a matching catch clause costs, without a throw.
const void* upcast(const std::type_info& wanted, const std::type_info& actual, const void* object) noexcept;

}  // namespace detail

/// A cheap handle (one pointer, atomically counted) to an exception that need not have been thrown.
///
/// Copies share the exception; `add_frame` affects only the handle it is called on. Failures are immutable otherwise
/// and may be handed to another thread. Making one never throws: out of memory it holds a std::bad_alloc instead. The
/// type is found through type information: `check` and `value` never throw, and cost 20 to 60 ns per class tried.
class Failure {
public:
    /// No failure at all; `operator bool` is false. What Twisted spells `Failure()` is `Failure::current()`.
    Failure() noexcept = default;

    /// From an exception object. An exception caught by reference to a base class keeps its dynamic type as long as
    /// it is the one being handled: `catch (const std::exception& e) { d.errback(Failure(e)); }`.
    template <class E>
    requires std::derived_from<std::remove_cvref_t<E>, std::exception>
    Failure(E&& error, const std::source_location& where = std::source_location::current()) noexcept
        : Failure(make(std::forward<E>(error)), where) {}

    /// From something that is already wrapped, such as another thread's exception.
    explicit Failure(std::exception_ptr exception,
                     const std::source_location& where = std::source_location::current()) noexcept;

    /// From any value: `Failure::of(5)`. A Failure comes back unchanged, exceptions are as with the constructor.
    template <class E>
    [[nodiscard]] static Failure of(E&& value,
                                    const std::source_location& where = std::source_location::current()) noexcept {
        if constexpr (std::is_same_v<std::remove_cvref_t<E>, Failure>) {
            return std::forward<E>(value);
        } else if constexpr (std::is_same_v<std::remove_cvref_t<E>, std::exception_ptr>) {
            return Failure(std::forward<E>(value), where);
        } else {
            return Failure(make(std::forward<E>(value)), where);
        }
    }

    /// The exception being handled. Throws NoCurrentExceptionError when there is none.
    [[nodiscard]] static Failure current(const std::source_location& where = std::source_location::current());

    /// An `Error` with this errno and the text "`what`: `errno_text`".
    [[nodiscard]] static Failure from_errno(
        int error, std::string_view what, const std::source_location& where = std::source_location::current()) noexcept;

    Failure(const Failure& other) noexcept : node_(other.node_) {
        if (node_) node_->references.fetch_add(1, std::memory_order_relaxed);
    }
    Failure(Failure&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
    Failure& operator=(Failure other) noexcept {
        std::swap(node_, other.node_);
        return *this;
    }
    ~Failure() {
        if (node_ && node_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) detail::destroy_failure(node_);
    }

    explicit operator bool() const noexcept { return node_ != nullptr; }

    /// True when the exception is one of these classes or derived from one.
    template <class... E>
    [[nodiscard]] bool check() const noexcept {
        return ((value<E>() != nullptr) || ...);
    }

    /// The index of the first class that matches; throws the original exception when none does, so that inside an
    /// errback an unexpected failure passes on unchanged.
    template <class... E>
    std::size_t trap() const {
        std::size_t index = 0;
        const bool found = (... || (check<E>() || (++index, false)));
        if (!found) raise();
        return index;
    }

    /// The exception as an E, null when it is none. Valid as long as any handle to this failure.
    template <class E>
    [[nodiscard]] const E* value() const noexcept {
        if (!node_) return nullptr;
        if constexpr (std::is_class_v<E>) {
            return static_cast<const E*>(detail::upcast(typeid(E), type(), object()));
        } else {
            return type() == typeid(E) ? static_cast<const E*>(object()) : nullptr;
        }
    }

    /// The dynamic type of the exception.
    [[nodiscard]] const std::type_info& type() const noexcept;
    /// Its name as in the source, such as "lariat::ConnectionRefused".
    [[nodiscard]] std::string type_name() const;
    /// what() of exceptions, the text of strings and numbers, otherwise the name of the type.
    [[nodiscard]] std::string error_message() const;

    /// The lines of a traceback, outermost place first and the origin last, then "type: message".
    [[nodiscard]] std::string traceback() const;
    /// The same on short lines: "Traceback: type: message", then "file:line:function" for each place.
    [[nodiscard]] std::string brief_traceback() const;

    /// Notes that the failure passed through this place on its way out. `file` and `function` must be literals.
    void add_frame(const char* file, std::uint32_t line, const char* function = nullptr) noexcept;
    void add_frame(const std::source_location& where) noexcept {
        add_frame(where.file_name(), where.line(), where.function_name());
    }

    /// Throws the exception.
    [[noreturn]] void raise() const;
    /// The exception for std::rethrow_exception; null for an empty handle.
    [[nodiscard]] std::exception_ptr exception() const noexcept;
    /// True when both hold the same exception object.
    [[nodiscard]] bool same_exception(const std::exception_ptr& other) const noexcept;

private:
    template <class E>
    static std::exception_ptr make(E&& value) noexcept {
        using Stored = std::decay_t<E>;
        if constexpr (std::is_polymorphic_v<Stored>) {
            if (typeid(value) != typeid(Stored)) {
                std::exception_ptr handled = std::current_exception();
                if (detail::exception_object(handled) == dynamic_cast<const void*>(&value)) return handled;
            }
        }
        return std::make_exception_ptr<Stored>(std::forward<E>(value));
    }

    [[nodiscard]] const void* object() const noexcept;

    detail::FailureNode* node_ = nullptr;
};

}  // namespace lariat
