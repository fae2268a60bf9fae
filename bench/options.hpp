// SPDX-License-Identifier: MIT
// The command line of lariat-bench. A wrong option is one line on stderr and status 2, never a guess.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace lariat::bench {

/// A command line that cannot be understood; the text is the line for the user.
struct UsageError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// A server named on the command line, measured beside the built-in ones.
struct ExtraServer {
    std::string name;
    std::vector<std::string> command;
};

enum class Mode { measure, race, list, help };

struct Options {
    Mode mode = Mode::measure;
    unsigned rounds = 21;
    std::uint64_t window_ns = 60'000'000;
    std::uint64_t warm_up_ns = 100'000'000;
    double race_seconds = 3;
    std::string only;
    std::string servers;
    std::string json_file;
    std::vector<ExtraServer> extra;
};

Options parse_options(int argc, char** argv);
const char* usage_text();

/// Whether `name` contains one of the comma-separated words of `filter`; an empty filter takes everything.
bool passes(const std::string& filter, const std::string& name);

}  // namespace lariat::bench
