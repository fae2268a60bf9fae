// SPDX-License-Identifier: MIT
// The root of lariat's exceptions, and texts for errno values. The layer io itself never throws: it returns negative
// errno numbers; the layers above turn them into these classes.
#pragma once

#include <exception>
#include <memory>
#include <string>
#include <string_view>

namespace lariat {

/// Base of every error lariat reports. Cancellation (`Cancelled`) is deliberately not one of them, so that
/// `catch (const Error&)` cannot swallow it.
class Error : public std::exception {
public:
    explicit Error(std::string message, int os_error = 0);

    [[nodiscard]] const char* what() const noexcept override { return message_->c_str(); }
    /// The errno value behind it, 0 when the operating system was not the cause.
    [[nodiscard]] int os_error() const noexcept { return os_error_; }

private:
    std::shared_ptr<const std::string> message_;  // shared: copying an exception must not throw
    int os_error_;
};

/// Calling something in a state that does not allow it, or with arguments that make no sense.
class UsageError : public Error {
public:
    using Error::Error;
};

/// The system's text for an errno value, such as "Connection refused".
std::string errno_text(int error);

/// "`what`: `errno_text`" for messages, such as "bind 127.0.0.1:80: Permission denied".
std::string describe_errno(std::string_view what, int error);

}  // namespace lariat
