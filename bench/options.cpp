// SPDX-License-Identifier: MIT
#include "options.hpp"

#include <cerrno>
#include <cstdlib>
#include <sstream>

namespace lariat::bench {
namespace {

double number_in(const std::string& option, const std::string& text, double low, double high) {
    char* end = nullptr;
    errno = 0;
    const double value = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0' || errno != 0 || !(value >= low && value <= high)) {
        std::ostringstream line;
        line << option << " needs a number from " << low << " to " << high << ", not '" << text << "'";
        throw UsageError(line.str());
    }
    return value;
}

unsigned whole_number_in(const std::string& option, const std::string& text, unsigned low, unsigned high) {
    const double value = number_in(option, text, low, high);
    const auto whole = static_cast<unsigned>(value);
    if (static_cast<double>(whole) != value) throw UsageError(option + " needs a whole number, not '" + text + "'");
    return whole;
}

ExtraServer extra_server(const std::string& text) {
    const auto equals = text.find('=');
    ExtraServer server;
    if (equals != std::string::npos) {
        server.name = text.substr(0, equals);
        std::istringstream words(text.substr(equals + 1));
        for (std::string word; words >> word;) server.command.push_back(word);
    }
    if (server.name.empty() || server.command.empty())
        throw UsageError("--with needs NAME=COMMAND, not '" + text + "'");
    return server;
}

}  // namespace

Options parse_options(int argc, char** argv) {
    Options options;
    const std::vector<std::string> words(argv + 1, argv + argc);
    std::size_t next = 0;
    if (!words.empty() && (words[0] == "race" || words[0] == "echo")) {
        if (words[0] == "race") options.mode = Mode::race;
        next = 1;
    }
    while (next < words.size()) {
        std::string option = words[next++];
        std::string attached;
        const auto equals = option.find('=');
        const bool has_attached = option.rfind("--", 0) == 0 && equals != std::string::npos;
        if (has_attached) {
            attached = option.substr(equals + 1);
            option.resize(equals);
        }
        const auto value = [&]() -> std::string {
            if (has_attached) return attached;
            if (next == words.size()) throw UsageError(option + " needs a value");
            return words[next++];
        };
        const bool measures = options.mode != Mode::race;
        if (option == "--help" || option == "-h")
            options.mode = Mode::help;
        else if (option == "--list")
            options.mode = Mode::list;
        else if (option == "--seconds" && !measures)
            options.race_seconds = number_in(option, value(), 0.5, 600);
        else if (option == "--quick" && measures)
            options.rounds = 21, options.window_ns = 60'000'000;
        else if (option == "--full" && measures)
            options.rounds = 75, options.window_ns = 80'000'000;
        else if (option == "--rounds" && measures)
            options.rounds = whole_number_in(option, value(), 1, 1000);
        else if (option == "--window" && measures)
            options.window_ns = std::uint64_t{1'000'000} * whole_number_in(option, value(), 10, 60000);
        else if (option == "--only" && measures)
            options.only = value();
        else if (option == "--servers" && measures)
            options.servers = value();
        else if (option == "--json" && measures)
            options.json_file = value();
        else if (option == "--with" && measures)
            options.extra.push_back(extra_server(value()));
        else
            throw UsageError("unknown option '" + option + "'" + (measures ? "" : " for race"));
    }
    return options;
}

const char* usage_text() {
    return "usage: lariat-bench [echo] [options]      echo servers side by side, budgets judged\n"
           "       lariat-bench race [--seconds S]    lariat on uring against lariat on epoll\n"
           "\n"
           "  --quick            21 rounds of 60 ms per server and cell (the default)\n"
           "  --full             75 rounds of 80 ms\n"
           "  --rounds N         so many rounds\n"
           "  --window MS        so long a window\n"
           "  --only WORDS       cells whose name contains one of the words, separated by commas\n"
           "  --servers WORDS    servers whose name contains one of the words\n"
           "  --with NAME=CMD    measure another server too; it must print 'listening on 127.0.0.1:PORT'\n"
           "  --json FILE        write every figure to FILE ('-' for stdout instead of the tables)\n"
           "  --list             name the cells and servers\n"
           "  --help             this text\n";
}

bool passes(const std::string& filter, const std::string& name) {
    if (filter.empty()) return true;
    std::istringstream words(filter);
    for (std::string word; std::getline(words, word, ',');)
        if (!word.empty() && name.find(word) != std::string::npos) return true;
    return false;
}

}  // namespace lariat::bench
