// SPDX-License-Identifier: MIT
// Random: a small generator whose numbers depend on its seed alone: the same on every machine, compiler and library,
// which the distributions of <random> do not promise. For simulations and fault injection, never for secrets.
#pragma once

#include <cstdint>
#include <string_view>

namespace lariat {

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014).
class Random {
public:
    explicit constexpr Random(std::uint64_t seed) noexcept : state_(seed) {}

    /// 64 even bits.
    constexpr std::uint64_t next() noexcept {
        state_ += 0x9e3779b97f4a7c15;
        std::uint64_t mixed = state_;
        mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
        return mixed ^ (mixed >> 31);
    }
    /// An even number below `bound`; 0 when `bound` is 0.
    constexpr std::uint64_t below(std::uint64_t bound) noexcept {
        // The high half of the product; its bias is below bound / 2^64.
        return static_cast<std::uint64_t>((static_cast<Wide>(next()) * bound) >> 64);
    }
    /// An even number of [low, high].
    constexpr std::uint64_t between(std::uint64_t low, std::uint64_t high) noexcept {
        return low + below(high - low + 1);
    }
    /// True in `per_mille` of 1000 cases; draws nothing when the answer is certain.
    constexpr bool chance(unsigned per_mille) noexcept {
        return per_mille > 0 && (per_mille >= 1000 || below(1000) < per_mille);
    }
    /// A generator of its own for the part of a simulation called `name`: what one part draws does not shift the
    /// others.
    [[nodiscard]] constexpr Random fork(std::string_view name) const noexcept {
        std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
        for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
        return Random(Random(state_ ^ hash).next());
    }

private:
    __extension__ typedef unsigned __int128 Wide;

    std::uint64_t state_;
};

}  // namespace lariat
