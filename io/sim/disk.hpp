// SPDX-License-Identifier: MIT
// Disk: the files of a simulated host, in memory. They outlive a crash as far as they were synced: what was written
// since may or may not be there afterwards.
//
// There are no directories and no permissions: a path is a name, and any name can be created.
#pragma once

#include <lariat/io/base/random.hpp>
#include <lariat/io/op.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace lariat::sim {

struct DiskFile {
    std::string bytes;
    std::optional<std::string> synced;  // nothing when not even the name would survive
};

/// A descriptor of one. Keeps a removed file alive.
class OpenFile {
public:
    OpenFile(std::shared_ptr<DiskFile> file, int flags) noexcept : file_(std::move(file)), flags_(flags) {}

    /// What FileRequest::Action says of everything but open and close.
    std::int32_t perform(io::FileOp& op, std::uint64_t room);
    [[nodiscard]] std::size_t size() const noexcept { return file_->bytes.size(); }

private:
    std::int32_t write(const io::FileOp& op, std::uint64_t room);

    std::shared_ptr<DiskFile> file_;
    int flags_;
};

class Disk {
public:
    /// What is there before a program comes, synced; replaces a file of that name.
    void put(std::string_view path, std::string_view bytes);
    /// What programs that read it now would find; nothing when there is no such file.
    [[nodiscard]] std::optional<std::string> get(std::string_view path) const;
    void remove(std::string_view path);
    /// All files together hold at most so many bytes; beyond that there is ENOSPC.
    void capacity(std::uint64_t bytes) noexcept { capacity_ = bytes; }

    /// For the parts of the simulation.
    [[nodiscard]] std::shared_ptr<DiskFile> open(const char* path, int flags, std::int32_t& error);
    [[nodiscard]] std::uint64_t room() const noexcept;
    void lose_power(Random& random);

private:
    std::map<std::string, std::shared_ptr<DiskFile>, std::less<>> files_;
    std::uint64_t capacity_ = UINT64_MAX;
};

}  // namespace lariat::sim
