// SPDX-License-Identifier: MIT
#include <lariat/runtime/report.hpp>

#include <lariat/io/base/log.hpp>

#include <string>

namespace lariat {

void log_failure(std::string_view system, std::string_view context, const Failure& failure) noexcept try {
    std::string text(context);
    text += '\n';
    text += failure.traceback();
    log(LogLevel::critical, system, text, failure.exception());
} catch (...) {
    log(LogLevel::critical, system, context);  // out of memory: the place alone is better than nothing
}

}  // namespace lariat
