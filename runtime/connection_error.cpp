// SPDX-License-Identifier: MIT
#include <lariat/runtime/connection_error.hpp>

#include <cerrno>

namespace lariat {
namespace detail {

std::string error_sentence(std::string_view headline, std::initializer_list<std::string_view> parts) {
    std::string text(headline);
    for (std::string_view part : parts) {
        if (!part.empty()) text.append(": ").append(part);
    }
    return text += '.';
}

}  // namespace detail

namespace {

std::string in_words(Duration limit) {
    using namespace std::chrono;
    const auto count = limit.count();
    if (count % 1'000'000'000 == 0) return std::to_string(count / 1'000'000'000) + " s";
    if (count % 1'000'000 == 0) return std::to_string(count / 1'000'000) + " ms";
    if (count % 1'000 == 0) return std::to_string(count / 1'000) + " us";
    return std::to_string(count) + " ns";
}

std::string timeout_text(std::string_view what) {
    return std::string(what.empty() ? "operation" : what).append(" timed out");
}

std::string listen_text(std::string_view interface, int port, int os_error) {
    std::string text = "Couldn't listen on ";
    text.append(interface.empty() ? "any" : interface).append(":").append(std::to_string(port));
    return text.append(": [Errno ").append(std::to_string(os_error)).append("] ").append(errno_text(os_error)) += '.';
}

}  // namespace

ConnectError::ConnectError(std::string_view head, int os_error, std::string_view detail)
    : Error(lariat::detail::error_sentence(head, {os_error ? std::to_string(os_error) : std::string(), detail}),
            os_error) {}

CannotListenError::CannotListenError(std::string_view interface, int port, int os_error)
    : Error(listen_text(interface, port, os_error), os_error), interface_(interface), port_(port) {}

InvalidAddressError::InvalidAddressError(std::string_view address, std::string_view detail)
    : UsageError(std::string("'").append(address).append("': ").append(detail)), address_(address) {}

TimedOut::TimedOut(std::string_view what) : Error(timeout_text(what)) {}

TimedOut::TimedOut(Duration limit, std::string_view what)
    : Error(timeout_text(what) + " after " + in_words(limit)), limit_(limit) {}

Failure connect_error_from(int os_error, const std::source_location& where) {
    const std::string text = errno_text(os_error);
    switch (os_error) {
    case ENETUNREACH: return Failure(NoRouteError(os_error, text), where);
    case ECONNREFUSED: return Failure(ConnectionRefused(os_error, text), where);
    case ETIMEDOUT: return Failure(TcpTimedOutError(os_error, text), where);
    default: return Failure(ConnectError(os_error, text), where);
    }
}

}  // namespace lariat
