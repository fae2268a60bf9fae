// SPDX-License-Identifier: MIT
#include <lariat/coro/sync/condition.hpp>

#include <lariat/coro/as_result.hpp>
#include <lariat/coro/shield.hpp>

namespace lariat {
namespace {

Task<> lock_again(Mutex& mutex) { co_await detail::Hidden(mutex.lock()); }

}  // namespace

Task<> Condition::wait(Mutex& mutex) {
    mutex.unlock();
    const Outcome<> notified = co_await as_result(detail::WaitFor<Condition>(*this));
    if (!mutex.try_lock()) co_await shield(lock_again(mutex));
    if (!notified) notified.failure().raise();
}

}  // namespace lariat
