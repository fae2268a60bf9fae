// SPDX-License-Identifier: MIT
// Views of raw bytes: Bytes (read only) and MutableBytes. Neither owns anything; Buffer (io/buffer.hpp) does.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace lariat {

/// A view of bytes somebody else owns, convertible from and to text without a cast at the call.
///
/// Lifetime: valid as long as what it was made from. The Bytes handed to `Protocol::data_received` die with the call.
class Bytes {
public:
    constexpr Bytes() noexcept = default;
    constexpr Bytes(const std::byte* data, std::size_t size) noexcept : data_(data), size_(size) {}
    Bytes(const char* data, std::size_t size) noexcept : Bytes(reinterpret_cast<const std::byte*>(data), size) {}
    Bytes(std::string_view text) noexcept : Bytes(text.data(), text.size()) {}
    Bytes(const std::string& text) noexcept : Bytes(text.data(), text.size()) {}
    Bytes(const char* text) noexcept : Bytes(std::string_view(text)) {}
    constexpr Bytes(std::span<const std::byte> bytes) noexcept : Bytes(bytes.data(), bytes.size()) {}

    [[nodiscard]] constexpr const std::byte* data() const noexcept { return data_; }
    [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }
    [[nodiscard]] constexpr bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] constexpr const std::byte* begin() const noexcept { return data_; }
    [[nodiscard]] constexpr const std::byte* end() const noexcept { return data_ + size_; }
    constexpr std::byte operator[](std::size_t i) const noexcept { return data_[i]; }

    /// The first `count` bytes, or all when there are fewer.
    [[nodiscard]] constexpr Bytes first(std::size_t count) const noexcept {
        return {data_, count < size_ ? count : size_};
    }
    /// What is left after `count` bytes; empty when there are fewer.
    [[nodiscard]] constexpr Bytes skip(std::size_t count) const noexcept {
        return count < size_ ? Bytes(data_ + count, size_ - count) : Bytes();
    }

    /// The same bytes as text; no encoding is assumed.
    [[nodiscard]] std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data_), size_}; }
    /// A copy that outlives the view.
    [[nodiscard]] std::string str() const { return std::string(text()); }
    operator std::string_view() const noexcept { return text(); }

    friend bool operator==(Bytes a, Bytes b) noexcept { return a.text() == b.text(); }

private:
    const std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

/// Writable bytes somebody else owns.
using MutableBytes = std::span<std::byte>;

}  // namespace lariat
