// SPDX-License-Identifier: MIT
// The command lines of the poetry programs. Every parser throws lariat::UsageError with one line about what
// is wrong, and ExitNow after it printed what --help asks for.
#pragma once

#include "poem.hpp"
#include "poetry_client.hpp"
#include <lariat/lariat.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace poetry {

/// Nothing is left to do.
class ExitNow {
public:
    explicit ExitNow(int status) : status_(status) {}
    int status() const { return status_; }

private:
    int status_;
};

struct ServerOptions {
    std::string file;
    std::string iface = "127.0.0.1";
    std::uint16_t port = 0;
    std::size_t bytes = 10;
    lariat::Duration delay{};
    lariat::ReactorOptions reactor;
};

struct ClientOptions {
    std::vector<Download> downloads;
    Style style = Style::task;
    lariat::ReactorOptions reactor;
};

struct DemoOptions {
    std::string poems;   // the folder
    double seconds = 3;  // that the longest download takes
    double race_seconds = 3;
    bool race = true;
    std::string backend;  // as it was given; empty when it was not
    lariat::ReactorOptions reactor;
};

ServerOptions parse_fast_server(const char* program, int argc, const char* const* argv);
ServerOptions parse_slow_server(const char* program, int argc, const char* const* argv);
/// Without `style` there is an option for it.
ClientOptions parse_client(const char* program, int argc, const char* const* argv, std::optional<Style> style = {});
DemoOptions parse_demo(const char* program, int argc, const char* const* argv);

}  // namespace poetry
