// SPDX-License-Identifier: MIT
#include "options.hpp"

#include <CLI/CLI.hpp>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <map>
#include <sstream>
#include <string_view>

namespace poetry {
namespace {

using lariat::UsageError;

/// The number `text` spells, when it is a port.
std::optional<std::uint16_t> port_number(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return port;
}

/// "HOST:PORT", an IPv6 address in brackets.
Download parse_host_and_port(const std::string& text) {
    const auto colon = text.rfind(':');
    std::string host = text.substr(0, colon == std::string::npos ? 0 : colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    } else if (host.empty() || host.find(':') != std::string::npos) {
        throw UsageError("'" + text + "' is not HOST:PORT (an IPv6 address goes into brackets: [::1]:8000)");
    }
    const auto port = port_number(std::string_view(text).substr(colon + 1));
    if (!port || *port == 0) {
        throw UsageError("'" + text + "' is not HOST:PORT: the port must be a number from 1 to 65535");
    }
    return Download(std::move(host), *port);
}

/// CLI::Range lets "nan" through.
void check_seconds(const char* option, double value, double low, double high) {
    if (value >= low && value <= high) return;
    std::ostringstream what;
    what << option << ": a number of seconds from " << low << " to " << high << " is expected";
    throw UsageError(what.str());
}

lariat::Duration from_seconds(double seconds) {
    return std::chrono::duration_cast<lariat::Duration>(std::chrono::duration<double>(seconds));
}

/// A command line with the options that all programs have.
class CommandLine {
public:
    CommandLine(const char* program, const char* purpose) : app_(purpose, program) {
        app_.add_option("--backend", backend_,
                        "what moves the bytes; otherwise LARIAT_BACKEND says, or the best there is")
            ->type_name("uring|epoll|auto")
            ->check(CLI::IsMember({"uring", "epoll", "auto"}));
    }

    CLI::App& app() { return app_; }
    const std::string& backend() const { return backend_; }

    /// The backend goes into `reactor`.
    void parse(int argc, const char* const* argv, lariat::ReactorOptions& reactor) {
        try {
            app_.parse(argc, argv);
        } catch (const CLI::Success& help) {
            throw ExitNow(app_.exit(help));
        } catch (const CLI::Error& error) {
            throw UsageError(error.what());
        }
        if (!backend_.empty()) reactor.backend(lariat::io::backend_kind(backend_).value());
    }

private:
    CLI::App app_;
    std::string backend_;
};

/// With `delay`, where to put its seconds, the options of a slow server too.
ServerOptions parse_server(CommandLine& line, int argc, const char* const* argv, double* delay = nullptr) {
    ServerOptions options;
    std::string port = "0";
    line.app().add_option("FILE", options.file, "the poem")->required();
    line.app().add_option("--port", port, "the port to listen on; 0, the default, lets the kernel choose");
    line.app()
        .add_option("--iface", options.iface, "the address to listen on")
        ->type_name("ADDRESS")
        ->capture_default_str();
    if (delay) {
        line.app()
            .add_option("--delay", *delay, "seconds from one part of the poem to the next")
            ->type_name("SECONDS")
            ->capture_default_str();
        line.app()
            .add_option("--bytes", options.bytes, "how long a part is")
            ->type_name("N")
            ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 30).name(""))
            ->capture_default_str();
    }
    line.parse(argc, argv, options.reactor);

    if (!port_number(port)) throw UsageError("--port: '" + port + "' is not a port: a number from 0 to 65535");
    options.port = *port_number(port);
    if (!lariat::Address::from_host(options.iface, options.port)) {
        throw UsageError("--iface: '" + options.iface + "' is not an IP address");
    }
    if (delay) {
        check_seconds("--delay", *delay, 0, 3600);
        options.delay = from_seconds(*delay);
    }
    return options;
}

}  // namespace

ServerOptions parse_fast_server(const char* program, int argc, const char* const* argv) {
    CommandLine line(program, "Serves a poem, all of it at once, to everyone who connects.");
    return parse_server(line, argc, argv);
}

ServerOptions parse_slow_server(const char* program, int argc, const char* const* argv) {
    double delay = 0.7;
    CommandLine line(program, "Serves a poem, a few bytes at a time, to everyone who connects.");
    return parse_server(line, argc, argv, &delay);
}

ClientOptions parse_client(const char* program, int argc, const char* const* argv, std::optional<Style> style) {
    ClientOptions options;
    std::vector<std::string> servers;
    std::string style_name = "task";
    const std::map<std::string, Style> styles = {
        {"callbacks", Style::callbacks}, {"deferred", Style::deferred}, {"task", Style::task}};
    CommandLine line(program, "Downloads poems, all at once: progress to stderr, the poems to stdout.");
    line.app().add_option("SERVER", servers, "where a poem is served")->type_name("HOST:PORT")->required();
    if (!style) {
        line.app()
            .add_option("--style", style_name, "how the client is written")
            ->type_name("callbacks|deferred|task")
            ->check(CLI::IsMember({"callbacks", "deferred", "task"}))
            ->capture_default_str();
    }
    line.parse(argc, argv, options.reactor);

    options.style = style ? *style : styles.at(style_name);
    for (const std::string& server : servers) options.downloads.push_back(parse_host_and_port(server));
    return options;
}

DemoOptions parse_demo(const char* program, int argc, const char* const* argv) {
    DemoOptions options;
    options.poems = POETRY_POEMS;
    CommandLine line(program, "Serves poems slowly, downloads them with three clients written in three ways, "
                              "and lets the backends race.");
    line.app()
        .add_option("--seconds", options.seconds, "how long each client takes")
        ->type_name("SECONDS")
        ->capture_default_str();
    line.app()
        .add_option("--race", options.race_seconds, "how long the race takes")
        ->type_name("SECONDS")
        ->capture_default_str();
    line.app().add_flag("!--no-race", options.race, "leave the race out");
    line.app().add_option("--poems", options.poems, "the folder of the poems")->type_name("FOLDER");
    line.parse(argc, argv, options.reactor);
    check_seconds("--seconds", options.seconds, 0.1, 600);
    check_seconds("--race", options.race_seconds, 0.5, 600);
    options.backend = line.backend();
    return options;
}

}  // namespace poetry
