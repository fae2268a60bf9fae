// SPDX-License-Identifier: MIT
// Transcript: the lines a script prints, to be compared with what Twisted printed.
#pragma once

#include <lariat/coro/deferred.hpp>

#include <sstream>
#include <string>
#include <vector>

namespace lariat::test {

/// Collects lines; `say("got", 5)` adds "got 5".
class Transcript {
public:
    template <class... A>
    void say(const A&... parts) {
        std::ostringstream line;
        const char* gap = "";
        ((line << std::exchange(gap, " ") << parts), ...);
        lines_.push_back(line.str());
    }
    [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }
    /// All lines, each with its end of line.
    [[nodiscard]] std::string text() const {
        std::string all;
        for (const std::string& line : lines_) all += line + "\n";
        return all;
    }

private:
    std::vector<std::string> lines_;
};

/// "KeyError" of "lariat::test::KeyError".
inline std::string short_type(const Failure& failure) {
    const std::string name = failure.type_name();
    const auto colons = name.rfind("::");
    return colons == std::string::npos ? name : name.substr(colons + 2);
}

/// Python's exceptions, as the scripts use them.
struct KeyError : Error {
    explicit KeyError(const std::string& key = "") : Error(key) {}
};
struct ValueError : Error {
    explicit ValueError(const std::string& text = "") : Error(text) {}
};
struct ZeroDivisionError : Error {
    ZeroDivisionError() : Error("division by zero") {}
};

}  // namespace lariat::test
