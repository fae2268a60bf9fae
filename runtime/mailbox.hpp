// SPDX-License-Identifier: MIT
// Mailbox: how other threads give a loop something to run. A lock-free list of intrusive nodes that many threads push
// and one thread takes; the loop is woken only when it sleeps.
//
// Threads: post() from any; everything else from the loop's. Lifetime: a Mailbox must outlive every post() that has not
// returned.
#pragma once

#include <lariat/runtime/sender.hpp>

#include <atomic>

namespace lariat {

/// Something to run on a reactor's thread, as an intrusive element: posting it allocates nothing.
///
/// Lifetime: must live, and must not be posted again, from post() until it was run or dropped; then it is its owner's
/// again, who may post or destroy it from inside the call.
class Mail {
public:
    using Run = void (*)(Mail&) noexcept;

    /// `drop`, which may be null, is called instead of `run` when the reactor dies first; then from the thread that
    /// destroys the reactor.
    explicit Mail(Run run, Run drop = nullptr) noexcept : run_(run), drop_(drop) {}
    Mail(const Mail&) = delete;
    Mail& operator=(const Mail&) = delete;

protected:
    ~Mail() = default;

private:
    friend class Mailbox;

    Mail* next_ = nullptr;
    Run run_;
    Run drop_;
    io::Sender sender_;  // who posted it
};

class Mailbox {
public:
    Mailbox() noexcept = default;
    Mailbox(const Mailbox&) = delete;
    Mailbox& operator=(const Mailbox&) = delete;

    /// Adds `mail`. True when the loop sleeps and the caller must wake it; of many posts to a sleeping loop one is
    /// told.
    [[nodiscard]] bool post(Mail& mail) noexcept {
        mail.sender_ = current_sender();
        Mail* newest = newest_.load(std::memory_order_relaxed);
        do {
            mail.next_ = newest;
        } while (!newest_.compare_exchange_weak(newest, &mail, std::memory_order_seq_cst, std::memory_order_relaxed));
        // The read-modify-write is spared while the loop is awake, which is what makes a post cheap.
        return sleeping_.load(std::memory_order_seq_cst) && sleeping_.exchange(false, std::memory_order_relaxed);
    }

    /// Runs, oldest first, what was there when the call began; what is posted meanwhile waits for the next call.
    void run_all() noexcept;
    /// The same with the elements' `drop`, until nothing is left.
    void drop_all() noexcept;

    /// Takes everything without running it: `f(mail, its sender)`, oldest first; the caller owes each run() or drop().
    template <class F>
    void take_each(F f) {
        for (Mail* mail = take(); mail;) {
            Mail* next = mail->next_;
            f(*mail, mail->sender_);
            mail = next;
        }
    }
    static void run(Mail& mail) noexcept { mail.run_(mail); }
    static void drop(Mail& mail) noexcept {
        if (mail.drop_) mail.drop_(mail);
    }

    [[nodiscard]] bool empty() const noexcept { return newest_.load(std::memory_order_acquire) == nullptr; }

    /// Announces that the loop is going to wait. False when something was posted: then it must not. Posting and falling
    /// asleep each write one variable and then read the other's, in one total order, so one of the two sees the other.
    [[nodiscard]] bool begin_sleep() noexcept {
        sleeping_.store(true, std::memory_order_seq_cst);
        if (newest_.load(std::memory_order_seq_cst) == nullptr) return true;
        end_sleep();
        return false;
    }
    void end_sleep() noexcept { sleeping_.store(false, std::memory_order_relaxed); }

private:
    Mail* take() noexcept;

    std::atomic<Mail*> newest_{nullptr};  // a stack, linked from newest to oldest
    std::atomic<bool> sleeping_{false};   // set by the loop, cleared by whoever wakes it or by the loop itself
};

}  // namespace lariat
