// SPDX-License-Identifier: MIT
#include <lariat/coro/cancel.hpp>

#include <utility>

namespace lariat {

std::string_view to_string(CancelReason reason) noexcept {
    switch (reason) {
    case CancelReason::requested: return "requested";
    case CancelReason::deadline: return "deadline";
    case CancelReason::scope_exit: return "scope exit";
    case CancelReason::shutdown: return "shutdown";
    }
    return "unknown";
}

const char* Cancelled::what() const noexcept {
    switch (reason_) {
    case CancelReason::requested: return "cancelled";
    case CancelReason::deadline: return "cancelled by a deadline";
    case CancelReason::scope_exit: return "cancelled because its scope ended";
    case CancelReason::shutdown: return "cancelled by shutdown";
    }
    return "cancelled";
}

namespace detail {

bool CancelContext::request(CancelReason reason) noexcept {
    if (sticky_) {
        if (cancelled_) return false;
        cancelled_ = true;
        reason_ = reason;
        return shields_ == 0;
    }
    reason_ = reason;
    return waiting_ != nullptr;
}

void CancelContext::deliver() noexcept {
    if (shields_ > 0) return;
    // Each wait hears of it once: the pointer is taken before the call, which may resume the waiter at once.
    if (Cancellable* wait = std::exchange(waiting_, nullptr)) wait->cancel(reason_);
}

void CancelContext::cancel(CancelReason reason) noexcept {
    if (request(reason)) deliver();
}

}  // namespace detail
}  // namespace lariat
