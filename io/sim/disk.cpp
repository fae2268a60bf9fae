// SPDX-License-Identifier: MIT
#include <lariat/io/sim/disk.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <utility>

namespace lariat::sim {
namespace {

// What one call transfers at most: MAX_RW_COUNT of the kernel, rounded down.
constexpr std::uint64_t longest_transfer = 0x7fff'0000;

}  // namespace

std::int32_t OpenFile::perform(io::FileOp& op, std::uint64_t room) {
    std::string& bytes = file_->bytes;
    switch (op.action) {
    case io::FileOp::Action::read: {
        if ((flags_ & O_ACCMODE) == O_WRONLY) return -EBADF;
        if (op.offset >= bytes.size()) return 0;
        const std::uint64_t count = std::min({op.bytes.iov_len, bytes.size() - op.offset, longest_transfer});
        std::memcpy(op.bytes.iov_base, bytes.data() + op.offset, count);
        return static_cast<std::int32_t>(count);
    }
    case io::FileOp::Action::write: return (flags_ & O_ACCMODE) == O_RDONLY ? -EBADF : write(op, room);
    case io::FileOp::Action::sync:
    case io::FileOp::Action::sync_data: file_->synced = bytes; return 0;
    case io::FileOp::Action::measure: op.size = bytes.size(); return 0;
    case io::FileOp::Action::open:
    case io::FileOp::Action::close: break;
    }
    return -EINVAL;
}

std::int32_t OpenFile::write(const io::FileOp& op, std::uint64_t room) {
    std::string& bytes = file_->bytes;
    const std::uint64_t offset = (flags_ & O_APPEND) != 0 ? bytes.size() : op.offset;
    std::uint64_t count = std::min<std::uint64_t>(op.bytes.iov_len, longest_transfer);
    // What lies between the end and the offset is a hole and takes no room.
    const std::uint64_t inside = offset < bytes.size() ? bytes.size() - offset : 0;
    if (count > inside) count = inside + std::min(count - inside, room);
    if (count == 0) return op.bytes.iov_len == 0 ? 0 : -ENOSPC;
    if (bytes.size() < offset + count) bytes.resize(offset + count);
    std::memcpy(bytes.data() + offset, op.bytes.iov_base, count);
    return static_cast<std::int32_t>(count);
}

void Disk::put(std::string_view path, std::string_view bytes) {
    files_.insert_or_assign(std::string(path),
                            std::make_shared<DiskFile>(DiskFile{std::string(bytes), std::string(bytes)}));
}

std::optional<std::string> Disk::get(std::string_view path) const {
    const auto found = files_.find(path);
    if (found == files_.end()) return std::nullopt;
    return found->second->bytes;
}

void Disk::remove(std::string_view path) {
    if (const auto found = files_.find(path); found != files_.end()) files_.erase(found);
}

std::shared_ptr<DiskFile> Disk::open(const char* path, int flags, std::int32_t& error) {
    const auto found = files_.find(std::string_view(path));
    error = 0;
    if (found == files_.end()) {
        if ((flags & O_CREAT) != 0 && *path != '\0') return files_[path] = std::make_shared<DiskFile>();
        error = -ENOENT;
    } else if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) {
        error = -EEXIST;
    } else if ((flags & O_DIRECTORY) != 0) {
        error = -ENOTDIR;
    } else {
        if ((flags & O_TRUNC) != 0) found->second->bytes.clear();
        return found->second;
    }
    return nullptr;
}

std::uint64_t Disk::room() const noexcept {
    std::uint64_t used = 0;
    for (const auto& [path, file] : files_) used += file->bytes.size();
    return used < capacity_ ? capacity_ - used : 0;
}

void Disk::lose_power(Random& random) {
    std::erase_if(files_, [&random](const auto& entry) {
        DiskFile& file = *entry.second;
        if (file.synced == file.bytes) return false;
        if (random.chance(500)) {
            file.synced = file.bytes;
        } else if (file.synced) {
            file.bytes = *file.synced;
        }
        return !file.synced;
    });
}

}  // namespace lariat::sim
