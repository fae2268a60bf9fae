// SPDX-License-Identifier: MIT
// TapedMail: the mail of a loop whose run is recorded or replayed. Recording, it tells the Tape who sent what a turn
// runs. Replaying, it gives each turn what it had then: mail that came too early is kept, mail that is not there yet is
// waited for. Mail of the loop's own needs no recording; it comes by itself.
//
// Threads: the loop's.
#pragma once

#include <lariat/io/tape.hpp>
#include <lariat/runtime/mailbox.hpp>

#include <cstdint>
#include <vector>

namespace lariat {

class TapedMail {
public:
    /// Loops without a recording are numbered from here on; a replay cannot know them by their number.
    static constexpr std::uint64_t unrecorded_loops = std::uint64_t{1} << 32;

    /// `own` is in whose name the loop itself posts. Lifetime: both must live longer.
    TapedMail(io::Tape& tape, Mailbox& mailbox, const io::Sender& own) noexcept
        : tape_(tape), mailbox_(mailbox), own_(own) {}

    /// In place of Mailbox::run_all().
    void run() noexcept;
    /// In place of Mailbox::drop_all().
    void drop() noexcept;
    /// Whether there is mail of the loop's own; that of others must not decide what a turn does.
    [[nodiscard]] bool has_own() noexcept;
    [[nodiscard]] bool empty() const noexcept { return held_.empty() && mailbox_.empty(); }

private:
    struct Held {
        Mail* mail;
        io::Sender sender;
    };

    void collect();
    [[nodiscard]] io::Sender known_as(const io::Sender& sender);
    void replay(std::vector<Held>& now);
    [[nodiscard]] Mail* take(const io::Sender& sender) noexcept;
    [[nodiscard]] Mail* wait_for(const io::Sender& sender);

    io::Tape& tape_;
    Mailbox& mailbox_;
    const io::Sender own_;
    std::vector<Held> held_;           // taken from the mailbox and not run, oldest first
    std::vector<io::Sender> threads_;  // those that are known by the order of their first mail
};

}  // namespace lariat
