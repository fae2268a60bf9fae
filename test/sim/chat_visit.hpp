// SPDX-License-Identifier: MIT
// Visits of a chat room: what a visitor does, and what it must hear.
#pragma once

#include "trial.hpp"
#include <lariat/coro/deferred.hpp>
#include <lariat/coro/task.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace lariat::test {

/// What all visitors know. Outlives the programs.
struct Hall {
    std::map<std::string, std::uint64_t, std::less<>> said;  // how many lines, by the speaker's name
    std::uint64_t visits_begun = 0;
    std::uint64_t visits_ended = 0;
};

/// What one visitor says and hears: "+NAME" for who joins, "NAME 1 PADDING." and so on for what is said, "-NAME TOTAL"
/// for who leaves.
class Visit {
public:
    enum class Mood : std::uint8_t { orderly, hangs_up, aborts };

    Visit(Trial& trial, Hall& hall, Random random);
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    ~Visit() { ++hall_.visits_ended; }

    /// The next line to say, its end included, "join" being the first and "leave", of an orderly visit, the last; empty
    /// when there is no more.
    [[nodiscard]] std::string next_line();
    void hear(std::string_view line);

    [[nodiscard]] Mood mood() const noexcept { return mood_; }
    /// It has left and heard everything up to its own farewell.
    [[nodiscard]] bool is_complete() const noexcept { return farewell_; }
    [[nodiscard]] Random& random() noexcept { return random_; }

private:
    struct Speaker {
        std::uint64_t heard = 0;
        bool gone = false;
    };

    void hear_farewell(const std::string& name, std::uint64_t total);
    void hear_line(const std::string& name, std::uint64_t number);

    Trial& trial_;
    Hall& hall_;
    Random random_;
    std::string name_;
    std::uint64_t to_say_;
    Mood mood_;
    std::map<std::string, Speaker, std::less<>> speakers_;
    bool joined_ = false;
    bool left_ = false;
    bool farewell_ = false;
};

// True after an orderly visit. Errors: those of connecting and of the connection.
Task<bool> visit_with_stream(Trial& trial, Hall& hall, std::uint16_t port, Random random);
Deferred<bool> visit_with_protocol(Trial& trial, Hall& hall, std::uint16_t port, Random random);

}  // namespace lariat::test
