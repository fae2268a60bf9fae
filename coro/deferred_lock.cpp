// SPDX-License-Identifier: MIT
#include <lariat/coro/deferred_lock.hpp>

#include <algorithm>

namespace lariat {

DeferredSemaphore::DeferredSemaphore(std::size_t tokens)
    : DeferredSemaphore(tokens, "Someone released me too many times: too many tokens!") {}

DeferredSemaphore::DeferredSemaphore(std::size_t tokens, const char* nothing_out)
    : limit_(tokens), free_(tokens), nothing_out_(nothing_out) {
    if (tokens == 0) throw UsageError("DeferredSemaphore requires tokens >= 1");
}

DeferredSemaphore::~DeferredSemaphore() {
    while (!waiting_.empty()) {
        Deferred<> next = std::move(waiting_.front());
        waiting_.pop_front();
        detail::abandon(std::move(next));
    }
}

Deferred<> DeferredSemaphore::acquire(const std::source_location& where) {
    if (free_ > 0) {
        --free_;
        return succeed(where);
    }
    Deferred<> waiter([this](Deferred<>& cancelled) { std::erase(waiting_, cancelled); }, where);
    waiting_.push_back(waiter);
    return waiter;
}

void DeferredSemaphore::release() {
    if (free_ + handing_over_ >= limit_) throw UsageError(nothing_out_);
    if (in_release_ && !waiting_.empty()) {
        ++handing_over_;
        return;
    }
    if (waiting_.empty()) {
        ++free_;
        return;
    }
    in_release_ = true;
    ++handing_over_;
    while (handing_over_ > 0) {
        --handing_over_;
        if (waiting_.empty()) {
            ++free_;
            continue;
        }
        const Deferred<> next = std::move(waiting_.front());
        waiting_.pop_front();
        next.callback();
    }
    in_release_ = false;
}

}  // namespace lariat
