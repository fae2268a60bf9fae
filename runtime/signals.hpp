// SPDX-License-Identifier: MIT
// SignalCatcher: SIGINT, SIGTERM and SIGUSR1 as something a loop can look at. Each reactor that wants signals has its
// own; all of them hear of every signal.
//
// The handlers are installed with the first catcher of the process and the ones before restored with the last.
// Threads: made, asked and destroyed by the loop's; the signal itself may arrive on any thread.
#pragma once

#include <string_view>

namespace lariat {

namespace io {
class Backend;
}

class SignalCatcher {
public:
    /// Catches SIGTERM, and the others unless the program handles or ignores them itself. `backend` is woken by each
    /// signal.
    explicit SignalCatcher(io::Backend& backend);
    SignalCatcher(const SignalCatcher&) = delete;
    SignalCatcher& operator=(const SignalCatcher&) = delete;
    ~SignalCatcher();

    /// A signal that was caught since the last call; 0 when there is none.
    int take() noexcept;

    /// "SIGINT", "SIGTERM", "SIGUSR1", or "SIGKILL", which only simulated hosts send.
    [[nodiscard]] static std::string_view name(int signal) noexcept;

private:
    struct Slot;
    struct Handlers;

    Slot& slot_;
};

}  // namespace lariat
