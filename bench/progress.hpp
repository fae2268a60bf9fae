// SPDX-License-Identifier: MIT
// Says on stderr what is being measured: a line rewritten in place on a terminal, one line per step elsewhere.
#pragma once

#include <cstdio>
#include <string>
#include <unistd.h>

namespace lariat::bench {

class Progress {
public:
    Progress() : terminal_(isatty(STDERR_FILENO) == 1) {}
    ~Progress() { clear(); }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    /// A new step; always shown.
    void step(const std::string& text) {
        if (terminal_)
            rewrite(text);
        else
            std::fprintf(stderr, "%s\n", text.c_str());
    }
    /// Movement within a step; shown on a terminal only.
    void detail(const std::string& text) {
        if (terminal_) rewrite(text);
    }
    void clear() {
        if (terminal_ && shown_) std::fputs("\r\033[K", stderr);
        shown_ = false;
    }

private:
    void rewrite(const std::string& text) {
        std::fprintf(stderr, "\r\033[K%s", text.c_str());
        std::fflush(stderr);
        shown_ = true;
    }

    bool terminal_;
    bool shown_ = false;
};

}  // namespace lariat::bench
