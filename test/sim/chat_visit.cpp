// SPDX-License-Identifier: MIT
#include "chat_visit.hpp"

#include <lariat/lariat.hpp>

#include <charconv>
#include <chrono>
#include <functional>
#include <optional>
#include <utility>

namespace lariat::test {

using namespace std::chrono_literals;

namespace {

constexpr Duration patience = 2min;

/// The number behind the first space of `line`.
std::uint64_t number_in(std::string_view line) {
    std::uint64_t number = 0;
    const std::size_t space = line.find(' ');
    if (space != std::string_view::npos) std::from_chars(line.data() + space + 1, line.data() + line.size(), number);
    return number;
}

}  // namespace

Visit::Visit(Trial& trial, Hall& hall, Random random) : trial_(trial), hall_(hall), random_(random) {
    name_ = "v" + std::to_string(++hall_.visits_begun);
    to_say_ = random_.between(1, 12);
    mood_ = random_.chance(700) || trial.is_quiet() ? Mood::orderly
            : random_.chance(500)                   ? Mood::hangs_up
                                                    : Mood::aborts;
}

std::string Visit::next_line() {
    if (!std::exchange(joined_, true)) return "join " + name_ + "\n";
    if (to_say_ > 0) {
        --to_say_;
        const std::uint64_t number = ++hall_.said[name_];
        const std::uint64_t longest = std::uint64_t(1) << random_.between(0, 12);
        return "say " + std::to_string(number) + " " + std::string(random_.below(longest), '-') + ".\n";
    }
    if (mood_ != Mood::orderly || std::exchange(left_, true)) return {};
    return "leave\n";
}

void Visit::hear(std::string_view line) {
    trial_.require(!farewell_, "something was heard behind the own farewell");
    if (line == "ping") return;
    const std::string name(line.substr(0, line.find(' ')));
    if (name.starts_with('+')) {
        const bool is_new = speakers_.emplace(name.substr(1), Speaker()).second;
        trial_.require(is_new, "a visitor was announced twice, or has spoken before");
    } else if (name.starts_with('-')) {
        hear_farewell(name.substr(1), number_in(line));
    } else {
        trial_.require(line.ends_with('.'), "a line lost its end");
        hear_line(name, number_in(line));
    }
}

void Visit::hear_line(const std::string& name, std::uint64_t number) {
    const auto spoken = hall_.said.find(name);
    trial_.require(spoken != hall_.said.end() && number > 0 && number <= spoken->second, "a line was invented");
    const auto [speaker, is_new] = speakers_.emplace(name, Speaker{number - 1});
    trial_.require(!is_new || name != name_, "a visitor heard itself before it was announced");
    trial_.require(!speaker->second.gone, "a speaker was heard who had left");
    trial_.require(number == speaker->second.heard + 1, "a speaker's lines were lost, doubled or exchanged");
    speaker->second.heard = number;
}

void Visit::hear_farewell(const std::string& name, std::uint64_t total) {
    const auto speaker = speakers_.find(name);
    if (speaker != speakers_.end()) {
        trial_.require(!std::exchange(speaker->second.gone, true), "a speaker left twice");
        trial_.require(speaker->second.heard == total, "a speaker's last lines were lost");
    }
    if (name != name_) return;
    trial_.require(left_ && total == hall_.said[name], "a visitor was made to leave before it had said everything");
    farewell_ = true;
}

// With Tasks

namespace {

Task<> speak(TcpStream& stream, Visit& visit, Random random) {
    try {
        for (std::string line = visit.next_line(); !line.empty(); line = visit.next_line()) {
            co_await stream.write(line);
            if (random.chance(500)) co_await sleep(std::chrono::milliseconds(random.below(600)));
        }
        if (visit.mood() == Visit::Mood::hangs_up) stream.shutdown_write();
        if (visit.mood() == Visit::Mood::aborts) stream.abort();
    } catch (const ConnectionClosed&) {  // who listens hears of it, too
    }
}

Task<> listen_and_speak(TaskScope& scope, TcpStream& stream, Visit& visit, Random random) {
    scope.spawn(speak, std::ref(stream), std::ref(visit), random.fork("speak"));
    while (true) {
        const Buffer line = co_await stream.read_until("\n", 8192).within(patience);
        if (line.empty()) break;
        const std::string_view text = line.text();
        visit.hear(text.substr(0, text.size() - 1));
        if (random.chance(20)) co_await sleep(std::chrono::milliseconds(random.below(5'000)));
    }
    scope.cancel();
}

}  // namespace

Task<bool> visit_with_stream(Trial& trial, Hall& hall, std::uint16_t port, Random random) {
    Visit visit(trial, hall, random.fork("visit"));
    TcpStream stream = co_await connect("room", port).within(patience);
    co_await with_scope(listen_and_speak, std::ref(stream), std::ref(visit), random.fork("manner"));
    co_return visit.is_complete();
}

// With a Protocol and Deferreds

namespace {

class Visitor : public Protocol {
public:
    /// A line; nothing at the end.
    [[nodiscard]] Deferred<std::optional<std::string>> next() { return heard_.get(); }

    void data_received(Bytes data) override {
        unread_ += data.text();
        for (std::size_t end; (end = unread_.find('\n')) != std::string::npos; unread_.erase(0, end + 1)) {
            heard_.put(unread_.substr(0, end));
        }
    }
    void connection_lost(const Failure&) override {
        if (next_words_.active()) next_words_.cancel();
        heard_.put(std::nullopt);
    }
    /// Says everything there is to be said, with pauses.
    void speak(Visit& visit) {
        const std::string line = visit.next_line();
        if (!line.empty()) {
            transport().write(std::string_view(line));
            const std::uint64_t longest = visit.random().chance(500) ? 1 : 600;
            next_words_ = Reactor::current()->call_later(std::chrono::milliseconds(visit.random().below(longest)),
                                                         [this, &visit] { speak(visit); });
        } else if (visit.mood() == Visit::Mood::hangs_up) {
            transport().lose_connection();
        } else if (visit.mood() == Visit::Mood::aborts) {
            transport().abort_connection();
        }
    }
    void stop_speaking() {
        if (next_words_.active()) next_words_.cancel();
        transport().abort_connection();
    }

private:
    DeferredQueue<std::optional<std::string>> heard_;
    DelayedCall next_words_;
    std::string unread_;
};

/// Ends the visit when its coroutine does, however that comes.
class Attendance {
public:
    explicit Attendance(Visitor& visitor) noexcept : visitor_(visitor) {}
    Attendance(const Attendance&) = delete;
    Attendance& operator=(const Attendance&) = delete;
    ~Attendance() { visitor_.stop_speaking(); }

private:
    Visitor& visitor_;
};

}  // namespace

Deferred<bool> visit_with_protocol(Trial& trial, Hall& hall, std::uint16_t port, Random random) {
    Visit visit(trial, hall, random.fork("visit"));
    Reactor& reactor = *Reactor::current();
    ClientCreator<Visitor> creator(reactor);
    const std::shared_ptr<Visitor> visitor = co_await creator.connect_tcp("room", port);
    const Attendance attendance(*visitor);
    visitor->speak(visit);
    while (true) {
        const std::optional<std::string> line = co_await visitor->next().add_timeout(patience, reactor);
        if (!line) break;
        visit.hear(*line);
    }
    co_return visit.is_complete();
}

}  // namespace lariat::test
