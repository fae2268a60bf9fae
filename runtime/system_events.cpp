// SPDX-License-Identifier: MIT
#include <lariat/runtime/system_events.hpp>

#include <lariat/io/base/error.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/runtime/report.hpp>

#include <algorithm>

namespace lariat {

SystemEvents::Hold::Hold(std::shared_ptr<Firing> firing) noexcept : firing_(std::move(firing)) { ++firing_->holds; }

SystemEvents::Hold& SystemEvents::Hold::operator=(Hold&& other) noexcept {
    if (this != &other) {
        release();
        firing_ = std::move(other.firing_);
    }
    return *this;
}

void SystemEvents::Hold::release() noexcept {
    if (!firing_) return;
    const std::shared_ptr<Firing> firing = std::move(firing_);
    firing_ = nullptr;
    if (--firing->holds == 0 && firing->events) go_on(firing);
}

SystemEvents::SystemEvents() = default;

SystemEvents::~SystemEvents() {
    for (const std::weak_ptr<Firing>& each : firings_) {
        if (const std::shared_ptr<Firing> firing = each.lock()) {
            firing->events = nullptr;
            firing->event = nullptr;
        }
    }
}

SystemEvents::Trigger SystemEvents::add(Phase phase, std::string_view name, Function trigger) {
    auto at = events_.find(name);
    if (at == events_.end()) at = events_.emplace(std::string(name), std::make_unique<Event>()).first;
    Event& event = *at->second;
    event.triggers[static_cast<std::size_t>(phase)].push_back({next_id_, std::move(trigger)});
    return Trigger(event, phase, next_id_++);
}

void SystemEvents::remove(const Trigger& trigger) {
    if (!trigger) throw UsageError("an empty trigger cannot be removed: the call had been made at once");
    Event& event = *trigger.event_;
    auto& triggers = event.triggers[static_cast<std::size_t>(trigger.phase_)];
    const auto at = std::find_if(triggers.begin(), triggers.end(), [&](const Entry& e) { return e.id == trigger.id_; });
    if (at != triggers.end()) {
        const Function removed = std::move(at->call);  // its captures may look at the triggers when they die
        triggers.erase(at);
    } else if (std::find(event.finished_before.begin(), event.finished_before.end(), trigger.id_)
               != event.finished_before.end()) {
        log(LogLevel::warn, "reactor", "a system event trigger was removed that has already run in this phase");
    } else {
        throw UsageError("the system event trigger has run already or was removed before");
    }
}

void SystemEvents::fire(std::string_view name, Steps steps) {
    auto at = events_.find(name);
    if (at == events_.end()) {
        if (!steps.during_first && !steps.during_last && !steps.finished) return;
        at = events_.emplace(std::string(name), std::make_unique<Event>()).first;
    }
    auto firing = std::make_shared<Firing>(Firing{this, at->second.get(), std::move(steps)});
    std::erase_if(firings_, [](const std::weak_ptr<Firing>& each) { return each.expired(); });
    firings_.push_back(firing);
    const Hold until_all_have_run{firing};
    firing->event->finished_before.clear();
    run_phase(*firing->event, Phase::before, firing);
}

void SystemEvents::run_phase(Event& event, Phase phase, const std::shared_ptr<Firing>& firing) noexcept {
    auto& triggers = event.triggers[static_cast<std::size_t>(phase)];
    while (!triggers.empty()) {
        Entry entry{triggers.front().id, std::move(triggers.front().call)};
        triggers.pop_front();
        guarded("Unhandled Error in a system event trigger", [&] {
            if (phase == Phase::before) event.finished_before.push_back(entry.id);
            entry.call(phase == Phase::before ? Hold(firing) : Hold());
        });
    }
}

// The last Hold of a phase is gone.
void SystemEvents::go_on(const std::shared_ptr<Firing>& firing) noexcept {
    Event& event = *firing->event;
    if (firing->phase == Phase::before) {
        firing->phase = Phase::during;
        event.finished_before.clear();
        const Hold until_all_have_run{firing};
        if (firing->steps.during_first) {
            guarded("Unhandled Error in a system event", [&] { firing->steps.during_first(Hold(firing)); });
        }
        run_phase(event, Phase::during, firing);
        if (firing->steps.during_last) {
            guarded("Unhandled Error in a system event", [&] { firing->steps.during_last(Hold(firing)); });
        }
    } else if (firing->phase == Phase::during) {
        firing->phase = Phase::after;
        run_phase(event, Phase::after, firing);
        if (firing->steps.finished) guarded("Unhandled Error in a system event", [&] { firing->steps.finished(); });
    }
}

void SystemEvents::log_failed_result(const Failure& failure) noexcept {
    log_failure("reactor", "what a system event trigger waited for failed", failure);
}

}  // namespace lariat
