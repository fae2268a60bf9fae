// SPDX-License-Identifier: MIT
// A C library that wants its input from a function that blocks, on top of a connection.
#pragma once

#include <lariat/lariat.hpp>

#include <cstdio>

/// Reads deflated bytes (RFC 1951) from `peer` until their end and writes what they stand for to `out`.
///
/// To be called in a fiber: while a piece of input has not come, the fiber waits and the loop goes on.
/// Errors: TimedOut when the peer is silent for `patience`; ProtocolViolation when it sends something else;
/// EndOfStream when the stream ends in the middle; Error when `out` cannot be written; those of reading.
void inflate_stream(lariat::TcpStream& peer, std::FILE* out, lariat::Duration patience);
