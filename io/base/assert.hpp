// SPDX-License-Identifier: MIT
// The only way to die. LARIAT_CHECK guards memory safety and stays in every build; LARIAT_ASSERT documents an
// invariant and is compiled out of release builds; panic() is for programmer errors and says what to do instead.
#pragma once

#include <string_view>

namespace lariat {

/// Prints `what` and `what_to_do` with the place on stderr, then aborts the process.
///
/// For programmer errors only (a Task awaited twice, the wrong thread): what a peer or the system can cause is an
/// error.
[[noreturn]] void panic(std::string_view what, const char* file, int line) noexcept;

}  // namespace lariat

#define LARIAT_PANIC(what) ::lariat::panic((what), __FILE__, __LINE__)

/// Always checked. `what` is a sentence for the person who reads the crash.
#define LARIAT_CHECK(condition, what) (__builtin_expect(!!(condition), 1) ? void() : LARIAT_PANIC(what))

#ifdef NDEBUG
# define LARIAT_ASSERT(condition, what) void()
#else
/// Checked in debug builds.
# define LARIAT_ASSERT(condition, what) LARIAT_CHECK(condition, what)
#endif
