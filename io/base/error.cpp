// SPDX-License-Identifier: MIT
#include <lariat/io/base/error.hpp>

#include <cstring>
#include <string_view>
#include <utility>

namespace lariat {

Error::Error(std::string message, int os_error)
    : message_(std::make_shared<const std::string>(std::move(message))), os_error_(os_error) {}

std::string errno_text(int error) {
    char text[128];
    return strerror_r(error, text, sizeof text);  // the GNU form returns the text, which may not be in `text`
}

std::string describe_errno(std::string_view what, int error) {
    std::string line(what);
    line += ": ";
    line += errno_text(error);
    return line;
}

}  // namespace lariat
