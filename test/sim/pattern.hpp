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
        Reader reader(key_, from);
        for (char& byte : bytes) byte = reader.next();
        return bytes;
    }
    /// Whether `bytes` are those from `from` on.
    [[nodiscard]] bool matches(std::size_t from, std::string_view bytes) const noexcept {
        if (bytes.size() > length_ - from) return false;
        Reader reader(key_, from);
        return std::all_of(bytes.begin(), bytes.end(), [&reader](char byte) { return byte == reader.next(); });
    }

private:
    class Reader {
    public:
        Reader(std::uint64_t key, std::size_t place) noexcept : key_(key), place_(place), word_(word()) {}
        char next() noexcept {
            if (place_ % 8 == 0) word_ = word();
            return static_cast<char>(word_ >> 8 * (place_++ % 8));
        }

    private:
        [[nodiscard]] std::uint64_t word() const noexcept { return Random(key_ + place_ / 8).next(); }

        std::uint64_t key_;
        std::size_t place_;
        std::uint64_t word_;
    };

    std::uint64_t key_ = 0;
    std::size_t length_ = 0;
};

}  // namespace lariat::test
