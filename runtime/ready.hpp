// SPDX-License-Identifier: MIT
// Ready: something the reactor is to run soon, as an intrusive element: a resumption, a deferred notification.
#pragma once

#include <lariat/io/base/intrusive_list.hpp>

namespace lariat {

/// Runs once per Reactor::schedule(), from the loop, never inside the call that scheduled it. Destroying it withdraws
/// it.
class Ready : public ListHook<> {
public:
    using Run = void (*)(Ready&) noexcept;
    explicit Ready(Run action) noexcept : run_(action) {}

    [[nodiscard]] bool is_scheduled() const noexcept { return is_linked(); }
    void run() noexcept { run_(*this); }

private:
    Run run_;
};

using ReadyQueue = IntrusiveList<Ready>;

}  // namespace lariat
