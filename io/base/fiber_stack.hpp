// SPDX-License-Identifier: MIT
// FiberStack: memory for the stack of a fiber, with a page below it that faults. Stacks are kept for reuse, per thread.
#pragma once

#include <cstddef>

namespace lariat {

class FiberStack {
public:
    /// How many stacks that are not in use a thread keeps; further ones go back to the system. A kept stack holds on to
    /// the pages it has touched: with stacks of 256 KiB that is 16 MiB a thread at the most.
    static constexpr std::size_t kept_per_thread = 64;
    /// Smaller wishes are rounded up to this.
    static constexpr std::size_t smallest = 16 * 1024;

    /// `size` in bytes, without the page that guards it; rounded up to pages. One of the calling thread's kept stacks
    /// of that size, the one used last, or a new one, which takes memory only for what is touched.
    ///
    /// Errors: std::bad_alloc. Linux gives a process 65530 mappings (vm.max_map_count), and a stack takes two.
    explicit FiberStack(std::size_t size);
    FiberStack(const FiberStack&) = delete;
    FiberStack& operator=(const FiberStack&) = delete;
    ~FiberStack();

    /// The lowest byte; the page below it faults.
    [[nodiscard]] std::byte* bottom() const noexcept { return bottom_; }
    [[nodiscard]] std::byte* top() const noexcept { return bottom_ + size_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// How many the calling thread keeps now.
    [[nodiscard]] static std::size_t kept() noexcept;

private:
    std::byte* bottom_;
    std::size_t size_;
};

}  // namespace lariat
