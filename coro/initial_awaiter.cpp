// SPDX-License-Identifier: MIT
#include <lariat/coro/initial_awaiter.hpp>

#include <lariat/io/base/assert.hpp>

#include <string>

namespace lariat::detail {

void panic_about_frame(const PromiseBase& promise) noexcept {
    std::string text = "g++ 12 cannot compile ";
    text += promise.name();
    text += " (";
    text += promise.wait_file();
    text += ":" + std::to_string(promise.wait_line());
    text += "): it awaits in the condition of an if, while, do, for or switch and declares no variable; give what it "
            "awaits a name: `const bool more = co_await ...;`";
    LARIAT_PANIC(text);
}

}  // namespace lariat::detail
