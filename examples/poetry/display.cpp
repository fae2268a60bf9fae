// SPDX-License-Identifier: MIT
#include "display.hpp"

#include <algorithm>
#include <sys/ioctl.h>
#include <unistd.h>

namespace poetry {
namespace {

constexpr std::size_t bar_width = 24;

std::string bar(std::size_t bytes, std::size_t expected) {
    const std::size_t filled = std::min(bar_width, bytes * bar_width / expected);
    return "[" + std::string(filled, '#') + std::string(bar_width - filled, '.') + "] ";
}

}  // namespace

Display::Display(std::FILE* out, std::vector<Download>& downloads) : out_(out), downloads_(downloads) {
    for (Download& download : downloads) {
        download.set_observer(*this);
        label_width_ = std::max(label_width_, download.label().size());
    }
    winsize window{};
    ioctl(fileno(out), TIOCGWINSZ, &window);
    const std::size_t rows = window.ws_row > 0 ? window.ws_row : 24;
    columns_ = window.ws_col > 0 ? window.ws_col : 80;
    // Lines above the top of the window cannot be changed any more.
    live_ = isatty(fileno(out)) && downloads.size() < rows;
    if (!live_) return;
    for (const Download& download : downloads_) std::fprintf(out_, "%s\n", line(download).c_str());
    std::fflush(out_);
}

void Display::changed(const Download& download) {
    if (live_) {
        const auto up = static_cast<int>(downloads_.size() - static_cast<std::size_t>(&download - downloads_.data()));
        std::fprintf(out_, "\x1b[%dA\r%s\x1b[K\x1b[%dB\r", up, line(download).c_str(), up);
    } else if (download.state() != Download::State::running) {
        std::fprintf(out_, "%s\n", line(download).c_str());
    }
    std::fflush(out_);
}

std::string Display::line(const Download& download) const {
    std::string text = download.label();
    text.resize(label_width_ + 2, ' ');
    if (download.state() == Download::State::failed) {
        text += download.failure();
    } else {
        if (download.expected_bytes()) text += bar(download.bytes(), download.expected_bytes());
        text += std::to_string(download.bytes());
        if (download.expected_bytes()) text += " of " + std::to_string(download.expected_bytes());
        text += " bytes";
    }
    if (download.state() == Download::State::complete) {
        char time[32];
        std::snprintf(time, sizeof time, " in %.1f s", std::chrono::duration<double>(Clock::now() - start_).count());
        text += time;
    }
    if (live_ && text.size() >= columns_) text.resize(columns_ - 1);
    return text;
}

}  // namespace poetry
