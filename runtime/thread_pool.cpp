// SPDX-License-Identifier: MIT
#include <lariat/runtime/thread_pool.hpp>

#include <lariat/io/base/assert.hpp>
#include <lariat/io/base/error.hpp>
#include <lariat/runtime/report.hpp>
#include <lariat/runtime/sender.hpp>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <pthread.h>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace lariat {

struct ThreadPool::Shared {
    using Lock = std::unique_lock<std::mutex>;
    struct Job {
        Function<void()> work;
        SenderContext context;  // in whose name it calls the loop
    };

    void work() noexcept;
    bool work_once() noexcept;
    void begin(std::size_t pieces);
    void add_thread();
    void add_threads();

    mutable std::mutex mutex;  // guards everything below
    std::condition_variable changed;
    std::deque<Job> queue;
    std::vector<std::thread> joinable;  // every thread since the last stop(), also those that have ended
    Function<void()> ended;
    Function<void(Function<void()>)> later;  // instead of threads
    unsigned minimum = 0;
    unsigned maximum = 0;
    unsigned live = 0;
    unsigned working = 0;
    bool started = false;
    bool stopping = false;
};

void ThreadPool::Shared::work() noexcept {
    Lock lock(mutex);
    for (;;) {
        while (queue.empty() && !stopping && live <= maximum) changed.wait(lock);
        if (queue.empty() || (live > maximum && !stopping)) break;
        Job job = std::move(queue.front());
        queue.pop_front();
        ++working;
        lock.unlock();
        {
            const bool known = job.context.sender.kind == io::Sender::Kind::work;
            const SendingAs as(known ? &job.context : nullptr);
            guarded("Unhandled Error in a thread of the pool", [&] { job.work(); });
            job.work.reset();
        }
        lock.lock();
        --working;
    }
    if (--live > 0) return;
    Function<void()> tell = std::move(ended);
    lock.unlock();
    SenderContext pool{{io::Sender::Kind::pool, 0, 0}};
    const SendingAs as(&pool);
    if (tell) tell();
}

// The oldest work, without a thread of its own; false when there is none.
bool ThreadPool::Shared::work_once() noexcept {
    Lock lock(mutex);
    if (queue.empty()) return false;
    Job job = std::move(queue.front());
    queue.pop_front();
    lock.unlock();
    guarded("Unhandled Error in a thread of the pool", [&] { job.work(); });
    return true;
}

void ThreadPool::Shared::begin(std::size_t pieces) {
    if (!later) return add_threads();
    for (; started && pieces > 0; --pieces) later([this] { work_once(); });
}

void ThreadPool::Shared::add_thread() {
    joinable.emplace_back([this] { work(); });
    ++live;
    pthread_setname_np(joinable.back().native_handle(), "lariat-pool");
}

void ThreadPool::Shared::add_threads() {
    if (!started) return;
    const std::size_t wanted = std::max<std::size_t>(minimum, std::min<std::size_t>(maximum, working + queue.size()));
    while (live < wanted) {
        try {
            add_thread();
        } catch (const std::system_error&) {
            if (live == 0) throw;  // the work would never be done; otherwise it only waits longer
            return;
        }
    }
}

ThreadPool::ThreadPool(unsigned minimum, unsigned maximum) : shared_(*new Shared) {
    shared_.minimum = minimum;
    shared_.maximum = maximum;
}

ThreadPool::~ThreadPool() {
    stop();
    delete &shared_;
}

void ThreadPool::start() {
    const Shared::Lock lock(shared_.mutex);
    shared_.started = true;
    shared_.stopping = false;
    shared_.begin(shared_.queue.size());
}

bool ThreadPool::begin_stop(Function<void()> ended) {
    const Shared::Lock lock(shared_.mutex);
    shared_.started = false;
    shared_.stopping = true;
    if (shared_.live == 0) return false;
    shared_.ended = std::move(ended);
    shared_.changed.notify_all();
    return true;
}

void ThreadPool::stop() {
    std::vector<std::thread> threads;
    {
        const Shared::Lock lock(shared_.mutex);
        shared_.started = false;
        shared_.stopping = true;
        threads = std::move(shared_.joinable);
        shared_.joinable.clear();
        shared_.changed.notify_all();
    }
    for (std::thread& thread : threads) thread.join();
    while (shared_.later && shared_.work_once()) {}
}

void ThreadPool::call_in_thread(Function<void()> work) {
    SenderContext context;
    if (sender_context && sender_context->sender.kind == io::Sender::Kind::loop) {
        const auto loop = static_cast<std::uint32_t>(sender_context->sender.number);
        context.sender = {io::Sender::Kind::work, loop, ++sender_context->pieces_of_work};
    }
    const Shared::Lock lock(shared_.mutex);
    shared_.queue.push_back({std::move(work), context});
    shared_.begin(1);
    shared_.changed.notify_one();
}

void ThreadPool::call_in_thread_with_callback(Function<void(const Failure&)> on_result, Function<void()> work) {
    call_in_thread([on_result = std::move(on_result), work = std::move(work)]() mutable {
        Failure failure;
        try {
            work();
        } catch (...) {
            failure = Failure(std::current_exception());
        }
        work.reset();
        on_result(failure);
    });
}

void ThreadPool::simulate(Function<void(Function<void()>)> later) {
    const Shared::Lock lock(shared_.mutex);
    LARIAT_CHECK(shared_.live == 0 && shared_.queue.empty(), "simulate() comes before the first work");
    shared_.later = std::move(later);
}

void ThreadPool::adjust_size(unsigned minimum, unsigned maximum) {
    if (minimum > maximum) {
        throw UsageError("a thread pool of at least " + std::to_string(minimum) + " and at most "
                         + std::to_string(maximum) + " threads is impossible");
    }
    const Shared::Lock lock(shared_.mutex);
    shared_.minimum = minimum;
    shared_.maximum = maximum;
    if (!shared_.later) shared_.add_threads();
    shared_.changed.notify_all();
}

unsigned ThreadPool::minimum() const {
    const Shared::Lock lock(shared_.mutex);
    return shared_.minimum;
}

unsigned ThreadPool::maximum() const {
    const Shared::Lock lock(shared_.mutex);
    return shared_.maximum;
}

unsigned ThreadPool::threads() const {
    const Shared::Lock lock(shared_.mutex);
    return shared_.live;
}

}  // namespace lariat
