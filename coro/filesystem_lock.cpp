// SPDX-License-Identifier: MIT
#include <lariat/coro/filesystem_lock.hpp>

#include <lariat/io/lock_link.hpp>

#include <cerrno>

namespace lariat {

bool FilesystemLock::lock() {
    bool clean = true;
    const int result = io::claim_lock_link(name_.c_str(), clean);
    if (result < 0) throw Error(describe_errno("lock " + name_, -result), -result);
    if (result == 0) return false;
    locked_ = true;
    clean_ = clean;
    return true;
}

void FilesystemLock::unlock() {
    const int result = io::release_lock_link(name_.c_str());
    if (result == -EPERM) throw UsageError("Lock '" + name_ + "' not owned by this process", EPERM);
    if (result < 0) throw Error(describe_errno("unlock " + name_, -result), -result);
    locked_ = false;
}

bool is_locked(std::string name) {
    FilesystemLock probe(std::move(name));
    if (!probe.lock()) return true;
    probe.unlock();
    return false;
}

}  // namespace lariat
