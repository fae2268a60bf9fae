// SPDX-License-Identifier: MIT
#include <lariat/io/base/assert.hpp>

#include <cstdio>
#include <cstdlib>

namespace lariat {

void panic(std::string_view what, const char* file, int line) noexcept {
    std::fprintf(stderr, "lariat: panic: %.*s (%s:%d)\n", static_cast<int>(what.size()), what.data(), file, line);
    std::fflush(stderr);
    std::abort();
}

}  // namespace lariat
