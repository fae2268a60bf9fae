// SPDX-License-Identifier: MIT
// Display: a line for each download. On a terminal the lines change as the bytes come in; anywhere else a
// line is written when its download has ended.
#pragma once

#include "poem.hpp"

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

namespace poetry {

class Display final : public Download::Observer {
public:
    /// Becomes the observer of `downloads`, which must stay where they are while it lives.
    Display(std::FILE* out, std::vector<Download>& downloads);
    Display(const Display&) = delete;
    Display& operator=(const Display&) = delete;

    void changed(const Download& download) override;

private:
    using Clock = std::chrono::steady_clock;

    std::string line(const Download& download) const;

    std::FILE* out_;
    const std::vector<Download>& downloads_;
    std::size_t label_width_ = 0;
    std::size_t columns_ = 0;
    bool live_ = false;
    Clock::time_point start_ = Clock::now();
};

}  // namespace poetry
