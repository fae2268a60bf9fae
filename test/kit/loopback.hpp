// SPDX-License-Identifier: MIT
// loopback_async(): two protocols connected inside the process on any reactor, a real one too (Twisted:
// loopback.loopbackAsync). What one writes, the other gets in a later turn of the loop, never from inside write().
//
// Where rounds are to be counted or time is to be moved, use a pump (testing/pump.hpp).
#pragma once

#include <lariat/coro/deferred.hpp>
#include <lariat/io/base/function.hpp>
#include <lariat/proto/protocol.hpp>
#include <lariat/runtime/reactor.hpp>

#include <deque>
#include <string>

namespace lariat::testing {

/// How the pieces that were written become pieces that are received: takes from `written` and calls
/// `target.data_received()`. What it leaves is offered again in the next turn.
using PumpPolicy = Function<void(std::deque<std::string>& written, Protocol& target)>;

/// Each write arrives as it was written.
void identity_pump_policy(std::deque<std::string>& written, Protocol& target);
/// Everything written since the last turn arrives in one piece.
void collapsing_pump_policy(std::deque<std::string>& written, Protocol& target);

/// Makes a connection between the two and carries what they write until one of them closes it. Then both get
/// connection_lost(ConnectionDone), after everything that was written, and the Deferred fires. An exception that
/// escapes a callback ends the connection and is what the Deferred fails with.
///
/// Lifetime: `reactor` must live until then. Cancellation: has no effect; close the connection instead.
Deferred<> loopback_async(Reactor& reactor, ProtocolPtr server, ProtocolPtr client,
                          PumpPolicy policy = identity_pump_policy);

}  // namespace lariat::testing
