// SPDX-License-Identifier: MIT
#include <lariat/coro/run_in_thread.hpp>

#include <lariat/io/tape.hpp>
#include <lariat/runtime/reactor.hpp>

#include <exception>
#include <source_location>
#include <utility>

namespace lariat::detail {

/// The pool's hold on a job, which the pool may destroy without running it.
class ThreadJob::Ticket {
public:
    explicit Ticket(ThreadJob& job) noexcept : job_(&job) {}
    Ticket(Ticket&& other) noexcept : job_(std::exchange(other.job_, nullptr)) {}
    Ticket& operator=(Ticket&&) = delete;
    ~Ticket() {
        if (job_ && !job_->leave_queue(State::dropped)) job_->let_go();  // it was withdrawn
    }

    void operator()() noexcept {
        if (!job_->leave_queue(State::begun)) return;
        std::exchange(job_, nullptr)->run();
    }

private:
    ThreadJob* job_;
};

void ThreadJob::queue(Reactor& reactor, RunInThreadBase& waiter) {
    reactor_ = &reactor;
    waiter_ = &waiter;
    reactor.call_in_thread(Ticket(*this));
    number_ = reactor.pieces_of_work();
}

bool ThreadJob::withdraw() noexcept {
    io::Tape* const tape = reactor_->backend().tape();
    if (tape && tape->replays()) {
        if (!tape->withdraw(number_, true)) return false;  // a thread was faster when this was recorded
        if (!leave_queue(State::withdrawn)) tape->diverged("has begun work in a thread that had not begun");
    } else {
        const bool not_begun = leave_queue(State::withdrawn);
        if (tape) tape->withdraw(number_, not_begun);
        if (!not_begun) return false;
    }
    forget_call();  // on this thread, while what it refers to still lives
    let_go();
    return true;
}

void ThreadJob::let_go() noexcept {
    if (let_go_.exchange(true, std::memory_order_acq_rel)) delete this;
}

void ThreadJob::run() noexcept {
    try {
        call();
    } catch (...) {
        failure_ = Failure(std::current_exception(), std::source_location());
    }
    reactor_->post(*this);  // the job may be gone from here on
}

void ThreadJob::on_ended(Mail& mail) noexcept {
    auto& self = static_cast<ThreadJob&>(mail);
    self.forget_call();
    self.waiter_->ended();
}

void RunInThreadBase::begin() noexcept { job_->queue(this_reactor("run_in_thread()"), *this); }

void RunInThreadBase::cancel(CancelReason reason) noexcept {
    if (!job_->withdraw()) {
        job_->request_stop();
        return;
    }
    job_ = nullptr;
    cancelled_ = reason;
    resume();
}

}  // namespace lariat::detail
