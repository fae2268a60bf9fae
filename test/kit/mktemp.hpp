// SPDX-License-Identifier: MIT
// mktemp(): a place for a test's files (Twisted: trial's mktemp).
#pragma once

#include <string>

namespace lariat::testing {

/// A path that nothing has yet, in a folder that goes with the process: make a file or a folder of it. From any thread.
/// Errors: Error when the folder cannot be made, which is below TMPDIR or /tmp.
[[nodiscard]] std::string mktemp();

}  // namespace lariat::testing
