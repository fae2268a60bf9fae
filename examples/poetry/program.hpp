// SPDX-License-Identifier: MIT
// What the main functions share: how a program says where it serves, and how it ends.
#pragma once

#include "options.hpp"
#include <lariat/lariat.hpp>

#include <string>

namespace poetry {

/// Runs a server, which ends with Ctrl-C: prints "serving FILE on ADDRESS:PORT" and returns the exit status.
int serve(lariat::Reactor& reactor, const std::string& file, const lariat::Address& where);

/// For `catch (...)` around main: writes one line about the exception to stderr and returns the exit status,
/// 2 when the command line was wrong and 1 for everything else.
int report_error(const char* program);

/// The whole of a client: downloads what `options` ask for with their style, progress to stderr, poems to
/// stdout in the order of the arguments. Returns the exit status.
int run_client(const ClientOptions& options);

}  // namespace poetry
