// SPDX-License-Identifier: MIT
// Tape: what reaches a program beside the calls of its Backend, where a run is recorded or replayed: calls from other
// threads, signals, the answers of name servers. A loop that has a tape tells it of each, and on a replay takes them
// from it instead of from the system; see io/record/.
//
// Threads: the loop's, except wake() of the Backend, which ends sleep(). The order of the calls is part of a recording.
#pragma once

#include <lariat/io/address.hpp>
#include <lariat/io/base/clock.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lariat::io {

/// Who gave a loop something to run: what a replay tells calls apart by that come from elsewhere.
struct Sender {
    enum class Kind : std::uint8_t {
        loop,    ///< this one or another of the process; `number` is its own, from 1
        thread,  ///< a thread of the program's own; `number` is its place in the order of their first calls
        work,    ///< a thread of the pool, with the piece of work `number` that the loop `loop` gave it
        pool,    ///< the thread pool of the loop, as it ends
        lookup,  ///< the answer to the name lookup `number`
    };
    Kind kind = Kind::thread;
    std::uint32_t loop = 0;
    std::uint64_t number = 0;

    friend bool operator==(const Sender&, const Sender&) = default;
};

/// What a name server said, or why there is no answer.
struct NameAnswer {
    std::vector<Address> addresses;
    std::optional<std::string> failure;  ///< why there are none
};

class Tape {
public:
    /// True when everything comes from a recording: no signal is caught, no name looked up, and calls from other
    /// threads wait for their place.
    [[nodiscard]] virtual bool replays() const noexcept = 0;
    /// The place of this recording among those of the process, from 0.
    [[nodiscard]] virtual std::uint32_t number() const noexcept = 0;

    /// At the beginning of a turn, when calls have come that this loop did not make itself. Recording: `senders` are
    /// those of all calls that run now, in their order. Replaying: they are replaced by those of the recording; false,
    /// and nothing is replaced, when only the loop's own ran.
    virtual bool mail(std::vector<Sender>& senders) = 0;
    /// A signal that the loop acts on; 0 when there is none. `caught` counts only where nothing is replayed.
    virtual int signal(int caught) noexcept = 0;
    /// The loop is about to wait until then if nothing comes before; not called when it only looks.
    virtual void deadline(TimePoint when) noexcept = 0;
    /// The answer to lookup `id` is about to be delivered. Replaying: `answer` is replaced by that of the recording.
    virtual void answer(std::uint64_t id, NameAnswer& answer) = 0;
    /// The program takes piece `work` back from the thread pool: whether it had not begun. Replaying: what the
    /// recording says.
    virtual bool withdraw(std::uint64_t work, bool not_begun) noexcept = 0;
    /// Replaying: whether piece `work` was taken back before it had begun, so that it must not begin now either.
    [[nodiscard]] virtual bool is_withdrawn(std::uint64_t work) const noexcept = 0;
    /// Replaying: whether lookup `id` was answered in the recording.
    [[nodiscard]] virtual bool has_answer(std::uint64_t id) const noexcept = 0;
    /// Replaying: blocks until wake() was called, or for `limit` of real time; false after the limit.
    virtual bool sleep(Duration limit) noexcept = 0;
    /// Replaying: ends the process with one line: the program did `what`, which the recording does not have.
    [[noreturn]] virtual void diverged(const std::string& what) noexcept = 0;

protected:
    ~Tape() = default;
};

}  // namespace lariat::io
