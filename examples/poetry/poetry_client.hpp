// SPDX-License-Identifier: MIT
// The poetry client in three styles that do the same: download all poems at once, each Download hearing how
// its poem fares, and return when all have ended; false when Ctrl-C came first. Every style has a reactor of
// its own for that time.
#pragma once

#include "poem.hpp"
#include <lariat/lariat.hpp>

#include <vector>

namespace poetry {

/// Callbacks of a Protocol and its ClientFactory.
bool get_poetry_callbacks(std::vector<Download>& downloads, const lariat::ReactorOptions& options);
/// A Deferred for each poem, callbacks chained to it, and a coroutine that waits for Deferreds.
bool get_poetry_deferred(std::vector<Download>& downloads, const lariat::ReactorOptions& options);
/// Tasks in a scope.
bool get_poetry_task(std::vector<Download>& downloads, const lariat::ReactorOptions& options);

enum class Style { callbacks, deferred, task };

/// The style chosen at run time. What Ctrl-C interrupted has failed when it returns.
bool get_poetry(Style style, std::vector<Download>& downloads, const lariat::ReactorOptions& options);

}  // namespace poetry
