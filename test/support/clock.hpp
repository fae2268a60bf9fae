// SPDX-License-Identifier: MIT
// Clock: time that passes when a test says so.
#pragma once

#include <lariat/io/base/clock.hpp>
#include <lariat/io/base/function.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace lariat::test {

/// Twisted's task.Clock, as far as Deferreds need it.
class Clock {
    struct Call {
        Duration when;
        Function<void()> run;
        bool active = true;
    };

public:
    class Handle {
    public:
        explicit Handle(std::shared_ptr<Call> call) : call_(std::move(call)) {}
        [[nodiscard]] bool active() const { return call_->active; }
        void cancel() {
            call_->active = false;
            call_->run.reset();
        }

    private:
        std::shared_ptr<Call> call_;
    };
    Handle call_later(Duration delay, Function<void()> f) {
        calls_.push_back(std::make_shared<Call>(Call{now_ + delay, std::move(f)}));
        return Handle(calls_.back());
    }
    void advance(Duration by) {
        now_ += by;
        for (std::size_t i = 0; i < calls_.size(); ++i) {
            if (const auto call = calls_[i]; call->active && call->when <= now_) {
                call->active = false;
                call->run();
                call->run.reset();
            }
        }
    }
    [[nodiscard]] long active() const {
        return std::count_if(calls_.begin(), calls_.end(), [](const auto& call) { return call->active; });
    }

private:
    Duration now_{};
    std::vector<std::shared_ptr<Call>> calls_;
};

}  // namespace lariat::test
