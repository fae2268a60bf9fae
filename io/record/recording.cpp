// SPDX-License-Identifier: MIT
#include <lariat/io/record/recording.hpp>

#include <lariat/io/base/error.hpp>
#include <lariat/io/base/unique_fd.hpp>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <utility>

namespace lariat::io {
namespace {

constexpr std::uint64_t simulated_flag = 1, shares_process_flag = 2;

}  // namespace

std::string RecordingHeader::encode() const {
    EventBytes fields;
    fields.begin(EventKind::none)
        .number(recording_version)
        .number((simulated ? simulated_flag : 0) | (shares_process ? shares_process_flag : 0))
        .bytes(backend);
    return std::string(recording_magic) + fields.all().skip(1).str();
}

Recording::Recording(std::string path) : path_(std::move(path)) {
    const UniqueFd fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) refuse("cannot be opened: " + errno_text(errno));
    struct stat status = {};
    if (::fstat(fd.get(), &status) != 0) refuse("cannot be read: " + errno_text(errno));
    if (!S_ISREG(status.st_mode)) refuse("is no file");
    if (status.st_size == 0) refuse("is empty");
    map_size_ = static_cast<std::size_t>(status.st_size);
    void* const map = ::mmap(nullptr, map_size_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (map == MAP_FAILED) refuse("cannot be read: " + errno_text(errno));
    map_ = static_cast<const std::byte*>(map);
    try {
        at_ = map_ + read_header();
        end_ = map_ + map_size_;
        look_through();
    } catch (...) {
        ::munmap(map, map_size_);
        throw;
    }
}

Recording::~Recording() { ::munmap(const_cast<std::byte*>(map_), map_size_); }

void Recording::refuse(const std::string& what) const { throw UsageError("the recording " + path_ + " " + what); }

std::size_t Recording::read_header() {
    const Bytes all(map_, map_size_);
    if (all.first(recording_magic.size()) != Bytes(recording_magic))
        refuse("is no recording: it does not begin with the bytes of one");
    EventReader fields(all.skip(recording_magic.size()));
    const std::uint64_t version = fields.number();
    if (fields.ok() && version != recording_version) {
        refuse("is of version " + std::to_string(version) + " of the format, and this program reads version "
               + std::to_string(recording_version));
    }
    const std::uint64_t flags = fields.number();
    header_.simulated = (flags & simulated_flag) != 0;
    header_.shares_process = (flags & shares_process_flag) != 0;
    header_.backend = fields.bytes().str();
    if (!fields.ok()) refuse("ends inside its header");
    return static_cast<std::size_t>(fields.position() - map_);
}

void Recording::look_through() {
    const std::byte* at = at_;
    const std::byte* summed = map_;  // covered by a checksum up to here
    Digest digest;
    while (at != end_ && *at != std::byte{0} && !complete_) {
        const auto damaged = [&] {
            refuse("is damaged between the bytes " + std::to_string(summed - map_) + " and "
                   + std::to_string(at - map_ + 1) + ", before event " + std::to_string(size_ + 2));
        };
        EventReader event({at, static_cast<std::size_t>(end_ - at)});
        const EventKind kind = event.kind();
        if (!event.ok()) damaged();
        EventReader fields = event;
        event.skip(kind);
        if (!event.ok()) {
            cut_ = true;
            break;
        }
        if (kind == EventKind::dispatch || kind == EventKind::end) {
            digest.add({summed, static_cast<std::size_t>(at - summed)});
            if (fields.fixed() != digest.value()) damaged();
            summed = at;
        }
        if (kind == EventKind::answer) {
            answers_.insert(fields.number());
        } else if (kind == EventKind::withdraw) {
            if (const std::uint64_t work = fields.number(); fields.number() != 0) withdrawn_.insert(work);
        } else if (kind == EventKind::mail) {
            for (std::uint64_t left = fields.number(); left > 0; --left) {
                const Sender sender = fields.sender();
                if (sender.kind == Sender::Kind::thread) threads_ = std::max(threads_, sender.number);
            }
        } else if (kind == EventKind::end) {
            complete_ = true;
        }
        at = event.position();
        ++size_;
    }
    end_ = at;
}

void Recording::advance() noexcept {
    EventReader event(rest());
    event.skip(event.kind());
    at_ = event.position();
    ++number_;
}

}  // namespace lariat::io
