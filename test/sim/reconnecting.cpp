// SPDX-License-Identifier: MIT
// Client services ask a server that crashes, closes its port for a while, drops connections and is parted from them,
// and connect again each time. Whatever befalls: a request is served at most once, those of a connection in their
// order, and never when it was taken back before it was sent; the Deferred of each fires once; the waits between
// attempts are what the factory says; once the network is whole, every service gets an answer, and it leaves nothing
// behind.
#include "trial.hpp"
#include <lariat/lariat.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace lariat::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t port = 9;
constexpr Duration quiet_from = 60s;

/// What has become of every request, whoever knows of it. Outlives the programs.
class Requests {
public:
    std::uint64_t make() {
        all_.emplace_back();
        return all_.size() - 1;
    }
    void take_back(std::uint64_t number) { all_[number].taken_back = true; }
    void serve(Trial& trial, std::uint64_t number) {
        if (number >= all_.size()) return trial.require(false, "a request was invented");
        trial.require(!all_[number].taken_back, "a request was served that had been taken back before it was sent");
        trial.require(++all_[number].served == 1, "a request was served twice");
    }
    void answer(Trial& trial, std::uint64_t number) const {
        trial.require(all_[number].served == 1, "a request was answered that nobody had served");
    }
    [[nodiscard]] std::uint64_t next_session() noexcept { return ++sessions_; }

private:
    struct Request {
        int served = 0;
        bool taken_back = false;
    };
    std::vector<Request> all_;
    std::uint64_t sessions_ = 0;
};

/// "17." as a number; nothing when its end is missing, as it may be at the end of a connection.
std::optional<std::uint64_t> number_in(std::string_view line) {
    if (!line.ends_with('.')) return std::nullopt;
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
    if (error != std::errc() || end + 1 != line.data() + line.size()) return std::nullopt;
    return number;
}

// The server

Task<> answer_in_order(TcpStream& peer, Trial& trial, Requests& requests, Random random) {
    auto questions = lines(peer);
    std::optional<std::uint64_t> last;
    while (const auto line = co_await questions.next()) {
        const auto number = number_in(*line);
        if (!number) co_return;
        requests.serve(trial, *number);
        trial.require(!last || *last < *number, "requests of one connection came out of order");
        last = number;
        if (random.chance(100)) co_await sleep(std::chrono::milliseconds(random.below(2'000)));
        if (random.chance(20)) peer.abort();
        if (random.chance(20)) co_return;
        co_await peer.write(*line + "\r\n");
    }
}

Task<> answer(TcpStream peer, Trial& trial, Requests& requests) {
    const Random random = trial.random("session " + std::to_string(requests.next_session()));
    try {
        co_await answer_in_order(peer, trial, requests, random);
    } catch (const ConnectionClosed&) {  // the network's fault, or ours
    }
}

/// Now and then nobody listens, and callers are refused.
Task<> serve_in_shifts(Trial& trial, Requests& requests, Random random) {
    Reactor& reactor = *Reactor::current();
    const auto factory = as_protocol(answer, std::ref(trial), std::ref(requests));
    while (!trial.is_quiet()) {
        const std::shared_ptr<Port> open = insist([&] { return reactor.listen_tcp(port, factory); });
        co_await sleep(std::chrono::milliseconds(random.below(30'000)));
        co_await open->stop_listening();
        trial.require(factory->num_ports() == 0, "a port that is closed still uses its factory");
        co_await sleep(std::chrono::milliseconds(random.below(10'000)));
    }
    reactor.listen_tcp(port, factory);
    Event never;
    co_await never.wait();
}

int serve(Trial& trial, Requests& requests) {
    return trial.run_program("server", [&](Reactor& reactor) {
        return lariat::run(reactor, serve_in_shifts(trial, requests, trial.random("shifts")));
    });
}

// The client

struct Question {
    Question(std::uint64_t of, Deferred<std::uint64_t> to) : number(of), answer(std::move(to)) {}
    std::uint64_t number;
    Deferred<std::uint64_t> answer;
};

class Service;

/// One connection of a Service.
class Asking : public Protocol {
public:
    void connection_made() override;
    void data_received(Bytes data) override;
    void connection_lost(const Failure& reason) override;

    void ask(Question question) {
        transport().write(std::string_view(std::to_string(question.number) + ".\n"));
        asked_.push_back(std::move(question));
    }

private:
    Service& service() const;
    void answered(std::string_view line);

    std::string unread_;
    std::deque<Question> asked_;
    bool made_ = false;
    bool lost_ = false;
};

class Service final : public ReconnectingClientFactory {
public:
    Service(Trial& trial, Requests& requests, Random random)
        : trial_(trial), requests_(requests), random_(random), proves_itself_(random_.chance(500)) {
        set_noisy(false);
        set_initial_delay(std::chrono::milliseconds(random_.between(100, 2'000)));
        set_max_delay(std::chrono::milliseconds(random_.between(2'000, 20'000)));
        if (random_.chance(700)) set_jitter(0);
    }

    /// The number of the request, when it was answered. Cancellation: one that has not been sent never will be.
    Deferred<std::uint64_t> ask() {
        const std::uint64_t number = requests_.make();
        Deferred<std::uint64_t> answer([this, number](Deferred<std::uint64_t>&) { take_back(number); });
        ++asked_;
        answer.add_both([this](DeferredResult<std::uint64_t> result) {
            ++fired_;
            return result;
        });
        if (connection_) {
            connection_->ask(Question(number, answer));
        } else {
            waiting_.emplace_back(number, answer);
        }
        return answer;
    }
    void require_over() {
        trial_.require(fired_ == asked_, "a Deferred never fired");
        trial_.require(!connection_ && num_ports() == 0, "a service that was stopped is still connected");
        trial_.require(starts_ == stops_, "a factory was started more often than stopped");
    }

    // What the factory hears.
    void start_factory() override { trial_.require(starts_++ == stops_, "a factory was started twice"); }
    void stop_factory() override { trial_.require(starts_ == ++stops_, "a factory was stopped twice"); }
    void started_connecting(Connector&) override {
        trial_.require(!connecting_ && !connection_, "a second attempt to connect was begun");
        connecting_ = true;
        if (!next_attempt_) return;
        const Duration late = Reactor::current()->now() - *std::exchange(next_attempt_, std::nullopt);
        trial_.require(late >= 0s && late < 1ms, "an attempt to connect was not made when its wait was over");
    }
    ProtocolPtr build_protocol(const Address&) override {
        if (!proves_itself_) has_proved_itself();
        return build<Asking>();
    }
    void client_connection_failed(Connector& connector, const Failure& reason) override {
        trial_.require(std::exchange(connecting_, false), "an attempt to connect failed twice");
        const Duration before = delay();
        ReconnectingClientFactory::client_connection_failed(connector, reason);
        expect_attempt_after(before);
    }
    void client_connection_lost(Connector& connector, const Failure& reason) override {
        trial_.require(!connection_, "a connection was lost before its protocol heard of it");
        const Duration before = delay();
        ReconnectingClientFactory::client_connection_lost(connector, reason);
        expect_attempt_after(before);
    }

    // What its protocols tell.
    void connected(Asking& by) {
        trial_.require(std::exchange(connecting_, false) && !connection_, "two connections at a time");
        connection_ = &by;
        while (!waiting_.empty()) {
            Question next = std::move(waiting_.front());
            waiting_.pop_front();
            by.ask(std::move(next));
        }
    }
    void answered(const Question& question) {
        if (proves_itself_) has_proved_itself();
        requests_.answer(trial_, question.number);
        if (!question.answer.called()) question.answer.callback(question.number);
    }
    void disconnected() { connection_ = nullptr; }
    Trial& trial() noexcept { return trial_; }

private:
    // It would go on trying after stop_trying(), too.
    void has_proved_itself() {
        if (continue_trying()) reset_delay();
    }
    void take_back(std::uint64_t number) {
        const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                        [number](const Question& each) { return each.number == number; });
        if (found == waiting_.end()) return;  // it has been sent
        waiting_.erase(found);
        requests_.take_back(number);
    }
    void expect_attempt_after(Duration before) {
        if (!continue_trying()) return;
        // A normal distribution drawn from 53 bits stays within nine deviations.
        trial_.require(delay() <= max_delay() * (1 + 9 * jitter()), "a wait is longer than the longest");
        const Duration grown = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(before) * factor());
        const Duration off = delay() - std::min(grown, max_delay());
        trial_.require(jitter() != 0 || (off >= -2ns && off <= 2ns), "a wait is not the one before times the factor");
        next_attempt_ = Reactor::current()->now() + delay();
    }

    Trial& trial_;
    Requests& requests_;
    Random random_;
    bool proves_itself_;  // a connection is good when it has brought an answer, else when it is made
    Asking* connection_ = nullptr;
    std::deque<Question> waiting_;  // for a connection
    std::optional<TimePoint> next_attempt_;
    bool connecting_ = false;
    int starts_ = 0;
    int stops_ = 0;
    int asked_ = 0;
    int fired_ = 0;
};

Service& Asking::service() const { return factory_as<Service>(); }

void Asking::connection_made() {
    service().trial().require(!std::exchange(made_, true) && !lost_, "connection_made came twice or late");
    service().connected(*this);
}

void Asking::data_received(Bytes data) {
    service().trial().require(made_ && !lost_, "data_received came before connection_made or after connection_lost");
    unread_ += data.text();
    for (std::size_t end; (end = unread_.find("\r\n")) != std::string::npos; unread_.erase(0, end + 2)) {
        answered(std::string_view(unread_).substr(0, end));
    }
}

void Asking::answered(std::string_view line) {
    const auto number = number_in(line);
    const bool expected = number && !asked_.empty() && asked_.front().number == *number;
    service().trial().require(expected, "an answer came out of order, or was invented");
    if (!expected) return;
    const Question question = std::move(asked_.front());
    asked_.pop_front();
    service().answered(question);
}

void Asking::connection_lost(const Failure& reason) {
    service().trial().require(made_ && !std::exchange(lost_, true), "connection_lost came twice or alone");
    service().disconnected();
    for (const Question& each : std::exchange(asked_, {})) {
        if (!each.answer.called()) each.answer.errback(reason);
    }
}

/// False when there is no answer in time.
Deferred<bool> ask_with_patience(Service& service, Duration patience) {
    try {
        co_await service.ask().add_timeout(patience, *Reactor::current());
        co_return true;
    } catch (const Error&) {  // the network's, or the time's
        co_return false;
    }
}

Task<> ask_on(Trial& trial, Service& service, Connector& connector, Random random) {
    while (true) {
        const bool whole = trial.is_quiet();
        const Duration patience = std::chrono::milliseconds(random.between(1, 20'000));
        if (co_await ask_with_patience(service, patience) && whole) co_return;
        if (random.chance(100)) connector.disconnect();
        if (random.chance(500)) co_await sleep(std::chrono::milliseconds(random.below(4'000)));
    }
}

Task<> ask_several(TaskScope& scope, Trial& trial, Service& service, Connector& connector, Random random) {
    for (int i = 0; i < 3; ++i) {
        scope.spawn(ask_on, std::ref(trial), std::ref(service), std::ref(connector), random.fork(std::to_string(i)));
    }
    co_return;
}

Task<> use_service(Trial& trial, std::shared_ptr<Service> service, Random random) {
    Reactor& reactor = *Reactor::current();
    reactor.add_system_event_trigger(Phase::before, "shutdown", [service] { service->stop_trying(); });
    const std::shared_ptr<Connector> connector = reactor.connect_tcp("server", port, service);
    co_await with_scope(ask_several, std::ref(trial), std::ref(*service), std::ref(*connector), random);
    service->stop_trying();
    connector->disconnect();
    while (connector->state() != Connector::State::disconnected) co_await sleep(10ms);
    service->require_over();
}

int use(Trial& trial, Requests& requests, const std::string& name) {
    return trial.run_program(name, [&](Reactor& reactor) {
        const Random random = trial.random(name);
        const auto service = std::make_shared<Service>(trial, requests, random.fork("service"));
        return lariat::run(reactor, use_service(trial, service, random.fork("use")));
    });
}

}  // namespace

void reconnecting(Trial& trial) {
    const auto requests = std::make_shared<Requests>();
    const std::uint64_t clients = trial.random("hosts").between(1, 3);
    trial.run_hosts({"server"}, clients, quiet_from, [&trial, requests](const std::string& host) {
        return host == "server" ? serve(trial, *requests) : use(trial, *requests, host);
    });
}

}  // namespace lariat::test
