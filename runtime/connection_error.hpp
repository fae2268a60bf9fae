// SPDX-License-Identifier: MIT
// The errors of connecting, listening and being connected: Twisted's classes and texts (twisted.internet.error), with
// lariat's shorter names where they differ. All of them are `Error`; all of them may be thrown and put into a Failure.
#pragma once

#include <lariat/io/base/clock.hpp>
#include <lariat/io/base/error.hpp>
#include <lariat/runtime/failure.hpp>

#include <initializer_list>
#include <source_location>
#include <string>
#include <string_view>

namespace lariat {

namespace detail {
/// "headline: part part." with empty parts left out, the form all of Twisted's network errors have.
std::string error_sentence(std::string_view headline, std::initializer_list<std::string_view> parts);
}  // namespace detail

/// A connection is over, cleanly or not: what `connection_lost` receives.
class ConnectionClosed : public Error {
public:
    static constexpr std::string_view headline = "Connection was closed";
    explicit ConnectionClosed(std::string_view detail = {}) : ConnectionClosed(headline, detail, 0) {}

protected:
    ConnectionClosed(std::string_view head, std::string_view detail, int os_error)
        : Error(lariat::detail::error_sentence(head, {detail}), os_error) {}
};

/// The peer closed its side, or we did and everything had been sent.
class ConnectionDone : public ConnectionClosed {
public:
    static constexpr std::string_view headline = "Connection was closed cleanly";
    explicit ConnectionDone(std::string_view detail = {}) : ConnectionClosed(headline, detail, 0) {}
};

/// The connection broke: a reset, a timeout of the system, an error of a transfer.
class ConnectionLost : public ConnectionClosed {
public:
    static constexpr std::string_view headline = "Connection to the other side was lost in a non-clean fashion";
    explicit ConnectionLost(std::string_view detail = {}, int os_error = 0)
        : ConnectionClosed(headline, detail, os_error) {}
    /// With the system's text as the detail: "... fashion: Connection reset by peer."
    static ConnectionLost from_errno(int os_error) { return ConnectionLost(errno_text(os_error), os_error); }

protected:
    ConnectionLost(std::string_view head, std::string_view detail, int os_error)
        : ConnectionClosed(head, detail, os_error) {}
};

/// Our side called `abort_connection`.
class ConnectionAborted : public ConnectionLost {
public:
    static constexpr std::string_view headline = "Connection was aborted locally using ITCPTransport.abortConnection";
    explicit ConnectionAborted(std::string_view detail = {}) : ConnectionLost(headline, detail, 0) {}
};

/// The descriptor was closed by somebody else; the text is Twisted's.
class ConnectionFdescWentAway : public ConnectionLost {
public:
    static constexpr std::string_view headline = "Uh";
    explicit ConnectionFdescWentAway(std::string_view detail = {}) : ConnectionLost(headline, detail, 0) {}
};

/// More descriptors than bytes were sent over a UNIX socket.
class FileDescriptorOverrun : public ConnectionLost {
public:
    static constexpr std::string_view headline =
        "A mis-use of IUNIXTransport.sendFileDescriptor caused the connection to be closed.";
    explicit FileDescriptorOverrun(std::string_view detail = {}) : ConnectionLost(headline, detail, 0) {}
};

/// A connection could not be made. `os_error()` is the errno behind it, 0 when there is none.
class ConnectError : public Error {
public:
    static constexpr std::string_view headline = "An error occurred while connecting";
    explicit ConnectError(int os_error = 0, std::string_view detail = {}) : ConnectError(headline, os_error, detail) {}

protected:
    ConnectError(std::string_view head, int os_error, std::string_view detail);
};

/// The local address to connect from cannot be used.
class ConnectBindError : public ConnectError {
public:
    static constexpr std::string_view headline = "Couldn't bind";
    explicit ConnectBindError(int os_error = 0, std::string_view detail = {})
        : ConnectError(headline, os_error, detail) {}
};

/// The name service knows no such host, or cannot be asked.
class UnknownHostError : public ConnectError {
public:
    static constexpr std::string_view headline = "Hostname couldn't be looked up";
    explicit UnknownHostError(int os_error = 0, std::string_view detail = {})
        : ConnectError(headline, os_error, detail) {}
};

/// A name could not be resolved; `detail` is the name or the resolver's text.
class DNSLookupError : public ConnectError {
public:
    static constexpr std::string_view headline = "DNS lookup failed";
    explicit DNSLookupError(std::string_view detail = {}) : ConnectError(headline, 0, detail) {}
};
using ResolveFailed = DNSLookupError;

class NoRouteError : public ConnectError {
public:
    static constexpr std::string_view headline = "No route to host";
    explicit NoRouteError(int os_error = 0, std::string_view detail = {}) : ConnectError(headline, os_error, detail) {}
};

class ConnectionRefused : public ConnectError {
public:
    static constexpr std::string_view headline = "Connection was refused by other side";
    explicit ConnectionRefused(int os_error = 0, std::string_view detail = {})
        : ConnectError(headline, os_error, detail) {}
};
using ConnectionRefusedError = ConnectionRefused;

/// The system gave up waiting for the peer's answer (ETIMEDOUT).
class TcpTimedOutError : public ConnectError {
public:
    static constexpr std::string_view headline = "TCP connection timed out";
    explicit TcpTimedOutError(int os_error = 0, std::string_view detail = {})
        : ConnectError(headline, os_error, detail) {}
};

class BadFileError : public ConnectError {
public:
    static constexpr std::string_view headline = "File used for UNIX socket is no good";
    explicit BadFileError(int os_error = 0, std::string_view detail = {}) : ConnectError(headline, os_error, detail) {}
};

class ServiceNameUnknownError : public ConnectError {
public:
    static constexpr std::string_view headline = "Service name given as port is unknown";
    explicit ServiceNameUnknownError(int os_error = 0, std::string_view detail = {})
        : ConnectError(headline, os_error, detail) {}
};

/// `stop_connecting` was called.
class UserError : public ConnectError {
public:
    static constexpr std::string_view headline = "User aborted connection";
    explicit UserError(int os_error = 0, std::string_view detail = {}) : ConnectError(headline, os_error, detail) {}

protected:
    UserError(std::string_view head, int os_error, std::string_view detail) : ConnectError(head, os_error, detail) {}
};

/// The time given to `connect_tcp` ran out. Everything else that times out raises TimedOut.
class TimeoutError : public UserError {
public:
    static constexpr std::string_view headline = "User timeout caused connection failure";
    explicit TimeoutError(int os_error = 0, std::string_view detail = {}) : UserError(headline, os_error, detail) {}
};

/// An address could not be listened on.
class CannotListenError : public Error {
public:
    CannotListenError(std::string_view interface, int port, int os_error);

    /// Empty for all interfaces.
    [[nodiscard]] const std::string& interface() const noexcept { return interface_; }
    [[nodiscard]] int port() const noexcept { return port_; }

private:
    std::string interface_;
    int port_;
};

/// A datagram is longer than one can be.
class MessageLengthError : public Error {
public:
    static constexpr std::string_view headline = "Message is too long to send";
    explicit MessageLengthError(std::string_view detail = {}, int os_error = 0)
        : Error(lariat::detail::error_sentence(headline, {detail}), os_error) {}
};

/// What is no IP literal, or one of the other family (Twisted: a ValueError).
class InvalidAddressError : public UsageError {
public:
    /// "'`address`': `detail`".
    InvalidAddressError(std::string_view address, std::string_view detail);

    [[nodiscard]] const std::string& address() const noexcept { return address_; }

private:
    std::string address_;
};

/// A multicast group could not be joined or left.
class MulticastJoinError : public Error {
public:
    static constexpr std::string_view headline = "Couldn't join or leave a multicast group";
    MulticastJoinError(std::string_view group, std::string_view interface, int os_error)
        : Error(lariat::detail::error_sentence(headline, {group, interface, errno_text(os_error)}), os_error) {}
};

/// An endpoint's connect was cancelled before it was connected; the text is the address.
class ConnectingCancelledError : public Error {
public:
    explicit ConnectingCancelledError(std::string address) : Error(std::move(address)) {}
};

class NotConnectingError : public UsageError {
public:
    static constexpr std::string_view headline =
        "The Connector was not connecting when it was asked to stop connecting";
    explicit NotConnectingError(std::string_view detail = {})
        : UsageError(lariat::detail::error_sentence(headline, {detail})) {}
};

class NotListeningError : public UsageError {
public:
    static constexpr std::string_view headline = "The Port was not listening when it was asked to stop listening";
    explicit NotListeningError(std::string_view detail = {})
        : UsageError(lariat::detail::error_sentence(headline, {detail})) {}
};

class ReactorNotRunning : public UsageError {
public:
    explicit ReactorNotRunning(std::string text = "Can't stop reactor that isn't running.")
        : UsageError(std::move(text)) {}
};

class ReactorAlreadyRunning : public UsageError {
public:
    explicit ReactorAlreadyRunning(std::string text = "The reactor is already running.")
        : UsageError(std::move(text)) {}
};

/// A time limit passed: `.within()`, `with_timeout`, `Deferred::add_timeout`.
class TimedOut : public Error {
public:
    /// "`what` timed out"; an empty `what` reads "operation".
    explicit TimedOut(std::string_view what = {});
    /// "`what` timed out after 2 s".
    TimedOut(Duration limit, std::string_view what);

    /// The limit that passed, zero when it is not known.
    [[nodiscard]] Duration limit() const noexcept { return limit_; }

private:
    Duration limit_ = Duration::zero();
};

/// The peer sent what the protocol does not allow, or more than a limit permits.
class ProtocolViolation : public Error {
public:
    using Error::Error;
};

/// The stream ended before the exact amount that was asked for had arrived.
class EndOfStream : public Error {
public:
    explicit EndOfStream(std::string text = "the stream ended before all that was asked for had arrived")
        : Error(std::move(text)) {}
};

/// The ConnectError class that belongs to an errno of connect(2): ConnectionRefused, NoRouteError, TcpTimedOutError,
/// otherwise ConnectError; "Connection was refused by other side: 111: Connection refused."
Failure connect_error_from(int os_error, const std::source_location& where = std::source_location::current());

}  // namespace lariat
