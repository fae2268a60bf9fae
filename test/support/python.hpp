// SPDX-License-Identifier: MIT
// What the scripts of Twisted's Deferred need to read like the originals: values of any type, and lines printed as
// Python prints them. Names that differ are translated on the way out: Cancelled is printed as CancelledError,
// TimedOut as TimeoutError.
#pragma once

#include <lariat/coro/deferred.hpp>
#include <lariat/test/support/transcript.hpp>

#include <ostream>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

namespace lariat::test {

/// None, a truth value, an int or a str.
class Object {
public:
    Object() = default;
    Object(bool value) : value_(value) {}
    Object(int value) : value_(value) {}
    Object(const char* text) : value_(std::string(text)) {}
    Object(std::string text) : value_(std::move(text)) {}

    [[nodiscard]] const std::string& text() const { return std::get<std::string>(value_); }
    [[nodiscard]] int number() const { return std::get<int>(value_); }
    [[nodiscard]] bool is_none() const { return value_.index() == 0; }
    /// type(x).__name__
    [[nodiscard]] const char* type_name() const {
        static constexpr const char* names[] = {"NoneType", "bool", "int", "str"};
        return names[value_.index()];
    }
    friend std::ostream& operator<<(std::ostream& out, const Object& object) {
        switch (object.value_.index()) {
        case 1: return out << (std::get<bool>(object.value_) ? "True" : "False");
        case 2: return out << std::get<int>(object.value_);
        case 3: return out << std::get<std::string>(object.value_);
        default: return out << "None";
        }
    }

private:
    std::variant<std::monostate, bool, int, std::string> value_;
};

/// type.__name__ of a failure's exception.
inline std::string type_name(const Failure& failure) {
    const std::string name = short_type(failure);
    if (name == "Cancelled") return "CancelledError";
    if (name == "TimedOut") return "TimeoutError";
    return name;
}
/// The same of a result, whichever it is.
inline std::string type_name(const DeferredResult<Object>& result) {
    return result ? result->type_name() : type_name(result.failure());
}

/// `d.result` as str(d) shows it.
template <class T>
std::string result_of(const Deferred<T>& deferred) {
    const std::string label = "current result: ", text = deferred.str();
    const auto at = text.find(label);
    if (at == std::string::npos) return "no result";
    return text.substr(at + label.size(), text.size() - at - label.size() - 1);
}

/// What a script prints.
class Script {
public:
    /// print(): the parts with spaces between them. Gives None.
    template <class... A>
    Object print(const A&... parts) {
        std::ostringstream line;
        const char* gap = "";
        ((line << std::exchange(gap, " "), write(line, parts)), ...);
        text_ += line.str() + "\n";
        return Object();
    }
    /// All of it, after a newline: to be compared with a raw string literal.
    [[nodiscard]] std::string text() const { return "\n" + text_; }

private:
    template <class T>
    static void write(std::ostream& out, const T& part) {
        if constexpr (std::is_same_v<T, bool>) {
            out << (part ? "True" : "False");
        } else {
            out << part;
        }
    }

    std::string text_;
};

}  // namespace lariat::test
