// SPDX-License-Identifier: MIT
// A lock between processes: a symbolic link whose target is the number of the process that holds it. Making a link is
// atomic and fails when there is one; the same scheme as Twisted's FilesystemLock, with which it may be shared.
//
// Threads: any. The calls touch a directory and do not wait for anybody.
#pragma once

namespace lariat::io {

/// Makes the link `path`: 1 when that worked, 0 when a process that lives holds it, otherwise a negative errno. A link
/// of a process that is gone is replaced, and `clean` is then false. -EINVAL: the link there is no lock.
int claim_lock_link(const char* path, bool& clean) noexcept;

/// Removes the link `path`: 0, -EPERM when it belongs to another process, otherwise a negative errno.
int release_lock_link(const char* path) noexcept;

}  // namespace lariat::io
