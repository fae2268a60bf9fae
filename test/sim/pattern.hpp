// SPDX-License-Identifier: MIT
// Pattern: the bytes of one stream: a function of their place, so that loss, order and invention show.
#pragma once

#include <lariat/io/base/random.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace lariat::test {

class Pattern {
public:
    /// No bytes.
    Pattern() noexcept = default;
    Pattern(std::uint64_t key, std::size_t length) noexcept : key_(key), length_(length) {}

    [[nodiscard]] std::size_t size() const noexcept { return length_; }
    /// At most `count` bytes from `from` on.
    [[nodiscard]] std::string text(std::size_t from, std::size_t count) const {
        std::string bytes(std::min(count, length_ - from), '\0');
        write(from, bytes.data(), bytes.size());
        return bytes;
    }
    /// Whether `bytes` are those from `from` on.
    [[nodiscard]] bool matches(std::size_t from, std::string_view bytes) const noexcept {
        if (bytes.size() > length_ - from) return false;
        char expected[512];
        for (std::size_t done = 0; done < bytes.size(); done += sizeof expected) {
            const std::string_view part = bytes.substr(done, sizeof expected);
            write(from + done, expected, part.size());
            if (part != std::string_view(expected, part.size())) return false;
        }
        return true;
    }

private:
    void write(std::size_t place, char* into, std::size_t size) const noexcept {
        while (size > 0) {
            const std::size_t skipped = place % 8;
            const std::size_t count = std::min(size, 8 - skipped);
            std::uint64_t word = Random(key_ + place / 8).next() >> 8 * skipped;
            for (std::size_t i = 0; i < count; ++i, word >>= 8) *into++ = static_cast<char>(word);
            place += count;
            size -= count;
        }
    }

    std::uint64_t key_ = 0;
    std::size_t length_ = 0;
};

}  // namespace lariat::test
