// SPDX-License-Identifier: MIT
// Recording: a recorded run, read from its file. All of it is looked through once when it is opened, so that damage
// and a version that is not known are errors of the start and not of the middle.
//
// The file is a header (magic, version, flags, the name of the backend) and events, up to its end or to a zero byte. It
// may end anywhere: the recorded program may have died. Between dispatches everything is covered by a checksum.
#pragma once

#include <lariat/io/base/bytes.hpp>
#include <lariat/io/record/event.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>

namespace lariat::io {

inline constexpr std::string_view recording_magic = "\x89lariat\n";
inline constexpr std::uint32_t recording_version = 1;

/// What stands in front of the events.
struct RecordingHeader {
    std::string backend;  ///< its name
    bool simulated = false;
    bool shares_process = false;

    [[nodiscard]] std::string encode() const;
};

class Recording {
public:
    /// Errors: UsageError with the file and what is wrong with it, and where.
    explicit Recording(std::string path);
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;
    ~Recording();

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] const RecordingHeader& header() const noexcept { return header_; }
    /// Events there are.
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
    /// Whether the recorded program came to its end, so that its backend was destroyed.
    [[nodiscard]] bool complete() const noexcept { return complete_; }
    /// Whether the file ends inside an event, as a copy does that was cut short.
    [[nodiscard]] bool cut() const noexcept { return cut_; }
    /// Threads of the program's own that called.
    [[nodiscard]] std::uint64_t threads() const noexcept { return threads_; }
    [[nodiscard]] bool has_answer(std::uint64_t lookup) const noexcept { return answers_.contains(lookup); }

    [[nodiscard]] bool is_withdrawn(std::uint64_t work) const noexcept { return withdrawn_.contains(work); }

    /// The next event's kind; `none` at the end.
    [[nodiscard]] EventKind next() const noexcept {
        return at_ == end_ ? EventKind::none : static_cast<EventKind>(*at_);
    }
    /// The next event and everything behind it.
    [[nodiscard]] Bytes rest() const noexcept { return {at_, static_cast<std::size_t>(end_ - at_)}; }
    /// What follows the next event's kind.
    [[nodiscard]] EventReader peek() const noexcept { return EventReader(rest().skip(1)); }
    /// Goes on behind the next event.
    void advance() noexcept;
    /// The number of the next event, from 1.
    [[nodiscard]] std::uint64_t number() const noexcept { return number_; }

private:
    std::size_t read_header();
    void look_through();
    [[noreturn]] void refuse(const std::string& what) const;

    std::string path_;
    RecordingHeader header_;
    const std::byte* map_ = nullptr;
    std::size_t map_size_ = 0;
    const std::byte* at_ = nullptr;
    const std::byte* end_ = nullptr;
    std::uint64_t number_ = 1;
    std::uint64_t size_ = 0;
    std::uint64_t threads_ = 0;
    std::unordered_set<std::uint64_t> answers_;
    std::unordered_set<std::uint64_t> withdrawn_;
    bool complete_ = false;
    bool cut_ = false;
};

}  // namespace lariat::io
