// SPDX-License-Identifier: MIT
// DeferredSource<T>: the side of a Deferred that will fire it, for code that hands the Deferred itself out. Unlike a
// handle it does not keep alive what only a canceller holds.
#pragma once

#include <lariat/coro/deferred.hpp>
#include <lariat/io/base/log.hpp>

#include <type_traits>
#include <utility>
#include <vector>

namespace lariat::detail {

template <class T>
class DeferredSource {
public:
    explicit DeferredSource(const Deferred<T>& deferred) noexcept : state_(DeferredAccess::state(deferred)) {
        state_->add_feed();
    }
    DeferredSource(DeferredSource&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    DeferredSource& operator=(DeferredSource&&) = delete;
    ~DeferredSource() {
        if (state_) state_->release_feed();
    }

    [[nodiscard]] bool called() const noexcept { return state_->called(); }
    /// Fires it with the value or the failure; nothing happens when it has been fired.
    template <class V>
    void fire(V&& result) {
        if (state_->called()) return;
        state_->add_handle();
        const Deferred<T> deferred = DeferredAccess::adopt(state_);
        if constexpr (std::is_same_v<std::remove_cvref_t<V>, Failure>) {
            deferred.errback(std::forward<V>(result));
        } else {
            deferred.callback(std::forward<V>(result));
        }
    }
    void fire() requires std::is_void_v<T>
    {
        if (state_->called()) return;
        state_->add_handle();
        DeferredAccess::adopt(state_).callback();
    }

private:
    DeferredState<T>* state_;
};

/// A canceller that only cancels the sources: the Deferred then fires through them.
template <class F>
class ForwardingCanceller final : public DeferredCanceller {
public:
    explicit ForwardingCanceller(F cancel_sources) : cancel_sources_(std::move(cancel_sources)) {}

    bool call(DeferredStage&) override {
        cancel_sources_();
        return false;
    }
    void destroy() noexcept override {
        this->~ForwardingCanceller();
        release_frame(this, sizeof(ForwardingCanceller));
    }

private:
    F cancel_sources_;
};

template <class T, class F>
void set_forwarding_canceller(const Deferred<T>& deferred, F cancel_sources) {
    DeferredAccess::state(deferred)->set_canceller(new_in_frame<ForwardingCanceller<F>>(std::move(cancel_sources)));
}

/// Cancels it; what its canceller throws is logged.
template <class T>
void cancel_logging(const Deferred<T>& deferred) noexcept {
    try {
        deferred.cancel();
    } catch (...) {
        log(LogLevel::critical, "deferred", "a canceller failed: " + Failure::current().traceback());
    }
}

/// Cancels every one in order, whatever their cancellers throw.
template <class T>
void cancel_each(const std::vector<Deferred<T>>& all) noexcept {
    for (const Deferred<T>& each : all) cancel_logging(each);
}

}  // namespace lariat::detail
