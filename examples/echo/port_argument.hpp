// SPDX-License-Identifier: MIT
// The one argument of the echo servers.
#pragma once

#include <lariat/lariat.hpp>

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

/// The port that the program was given. Errors: UsageError for anything but one number from 0 to 65535.
inline std::uint16_t port_argument(int argc, char** argv) {
    if (argc != 2) throw lariat::UsageError("expected one argument, the port to listen on");
    const std::string_view text = argv[1];
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size()) {
        throw lariat::UsageError("'" + std::string(text) + "' is not a port: a number from 0 to 65535");
    }
    return port;
}
