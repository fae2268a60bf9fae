// SPDX-License-Identifier: MIT
// lines(): what comes out of a stream, line by line.
//
//     auto commands = lines(peer);
//     while (auto command = co_await commands.next()) obey(*command);
//
// Threads: the reactor's.
#pragma once

#include <lariat/coro/async_generator.hpp>
#include <lariat/coro/tcp_stream.hpp>

#include <cstddef>
#include <string>

namespace lariat {

/// Each line without its end, "\n" or "\r\n"; the last one also when the stream ends without. `limit` is the longest,
/// with its end.
///
/// Lifetime: `from` must outlive the generator. Cancellation: as TcpStream::read_until(); nothing is lost. Errors:
/// ProtocolViolation for a longer line, ConnectionLost.
[[nodiscard]] AsyncGenerator<std::string> lines(TcpStream& from, std::size_t limit = TcpStream::default_line_limit);

}  // namespace lariat
