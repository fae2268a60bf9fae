// SPDX-License-Identifier: MIT
#include <lariat/testing/loopback.hpp>

#include <lariat/io/base/error.hpp>
#include <lariat/proto/producer.hpp>
#include <lariat/proto/transport.hpp>
#include <lariat/runtime/connection_error.hpp>

#include <memory>
#include <utility>

namespace lariat::testing {
namespace {

class Loopback;

// One end. The Loopback holds it, and its protocol does.
class LoopbackTransport final : public Transport {
public:
    LoopbackTransport(std::weak_ptr<Loopback> owner, const Address& host, const Address& peer)
        : loopback(std::move(owner)), host_(host), peer_(peer) {}

    void write(Bytes data) override;
    void lose_connection() override;
    void abort_connection() override;
    void lose_write_connection() override { lose_connection(); }
    [[nodiscard]] Address peer() const override { return peer_; }
    [[nodiscard]] Address host() const override { return host_; }
    void pause_producing() override { paused = true; }
    void resume_producing() override;
    [[nodiscard]] bool connected() const noexcept override { return static_cast<bool>(top); }
    [[nodiscard]] bool disconnecting() const noexcept override { return closing; }
    [[nodiscard]] ProtocolPtr protocol() const override { return top; }

    void register_producer(PushProducer& producer) override { add_producer(producer, nullptr); }
    void register_producer(PullProducer& producer) override { add_producer(producer, &producer); }
    void unregister_producer() override { producer_.reset(), pull_ = nullptr; }
    /// What was written has gone: a pull producer may write again.
    void poll_producer() {
        const std::shared_ptr<Producer> held = producer_;
        if (pull_) pull_->resume_producing();
    }
    void stop_producer() {
        if (const std::shared_ptr<Producer> held = std::exchange(producer_, nullptr)) held->stop_producing();
    }

    std::weak_ptr<Loopback> loopback;
    ProtocolPtr top;                   // until connection_lost()
    std::deque<std::string> outgoing;  // what the other end is to receive
    bool paused = false;
    bool closing = false;

private:
    void add_producer(Producer& producer, PullProducer* pull) {
        if (producer_) throw UsageError("a producer is registered already; unregister_producer() comes first");
        producer_ = std::shared_ptr<Producer>(producer.weak_from_this().lock(), &producer);
        pull_ = pull;
        if (pull) pull->resume_producing();
    }

    Address host_, peer_;
    std::shared_ptr<Producer> producer_;  // without an owner behind it for producers no shared_ptr owns
    PullProducer* pull_ = nullptr;        // the same; null when it is a push producer
};

class Loopback final : public std::enable_shared_from_this<Loopback> {
public:
    Loopback(Reactor& reactor, PumpPolicy policy) : reactor_(reactor), policy_(std::move(policy)) {}

    Deferred<> begin(ProtocolPtr server, ProtocolPtr client) {
        const Address server_address("127.0.0.1:7"), client_address("127.0.0.1:49152");
        server_ = std::make_shared<LoopbackTransport>(weak_from_this(), server_address, client_address);
        client_ = std::make_shared<LoopbackTransport>(weak_from_this(), client_address, server_address);
        server_->top = std::move(server);
        client_->top = std::move(client);
        self_ = shared_from_this();
        const Deferred<> done = done_;
        guarded([this] {
            server_->top->make_connection(*server_);
            client_->top->make_connection(*client_);
        });
        return done;
    }
    /// There is something to do in the next turn.
    void call_soon() {
        if (scheduled_ || !self_) return;
        scheduled_ = true;
        reactor_.call_later(Duration::zero(), [self = self_] { self->turn(); });
    }

private:
    void turn() {
        scheduled_ = false;
        if (!self_) return;
        guarded([this] {
            move(*server_, *client_);
            move(*client_, *server_);
        });
        if (!self_) return;
        const bool held = !server_->outgoing.empty() || !client_->outgoing.empty();
        if (!server_->closing && !client_->closing) {
            if (held && !stuck()) call_soon();
            return;
        }
        // What the closing end wrote arrives first; it reads nothing any more.
        LoopbackTransport& closing = server_->closing ? *server_ : *client_;
        if (closing.outgoing.empty() || stuck()) {
            end(Failure(ConnectionDone()), Failure());
        } else {
            call_soon();
        }
    }

    void move(LoopbackTransport& from, LoopbackTransport& to) {
        if (from.outgoing.empty() || to.paused || !to.top) return;
        if (to.closing) {
            from.outgoing.clear();
        } else {
            std::deque<std::string> written = std::exchange(from.outgoing, {});  // answers are for the next turn
            policy_(written, *to.top);
            for (auto each = written.rbegin(); each != written.rend(); ++each) from.outgoing.push_front(*each);
        }
        if (from.outgoing.empty()) from.poll_producer();
    }
    /// What is left waits for a reader that has paused.
    [[nodiscard]] bool stuck() const {
        return (server_->outgoing.empty() || client_->paused) && (client_->outgoing.empty() || server_->paused);
    }

    template <class Call>
    void guarded(Call call) {
        try {
            call();
        } catch (...) {
            end(Failure::current(), Failure::current());
        }
    }
    void end(const Failure& reason, const Failure& outcome) {
        const std::shared_ptr<Loopback> self = std::move(self_);
        if (!self) return;
        Failure failure = outcome;
        for (const auto& each : {server_, client_}) {
            each->closing = true;
            const ProtocolPtr told = std::exchange(each->top, nullptr);
            try {
                each->stop_producer();
                told->connection_lost(reason);
            } catch (...) {
                if (!failure) failure = Failure::current();
            }
        }
        if (failure) {
            done_.errback(failure);
        } else {
            done_.callback();
        }
    }

    Reactor& reactor_;
    PumpPolicy policy_;
    Deferred<> done_;
    std::shared_ptr<LoopbackTransport> server_, client_;
    std::shared_ptr<Loopback> self_;  // until the end
    bool scheduled_ = false;
};

void LoopbackTransport::write(Bytes data) {
    const std::shared_ptr<Loopback> owner = loopback.lock();
    if (!owner || !top || closing || data.empty()) return;
    outgoing.push_back(data.str());
    owner->call_soon();
}

void LoopbackTransport::lose_connection() {
    closing = true;
    if (const std::shared_ptr<Loopback> owner = loopback.lock()) owner->call_soon();
}

void LoopbackTransport::abort_connection() {
    outgoing.clear();
    lose_connection();
}

void LoopbackTransport::resume_producing() {
    paused = false;
    if (const std::shared_ptr<Loopback> owner = loopback.lock()) owner->call_soon();
}

}  // namespace

void identity_pump_policy(std::deque<std::string>& written, Protocol& target) {
    while (!written.empty()) {
        const std::string piece = std::move(written.front());
        written.pop_front();
        target.data_received(piece);
    }
}

void collapsing_pump_policy(std::deque<std::string>& written, Protocol& target) {
    std::string all;
    for (const std::string& piece : written) all += piece;
    written.clear();
    if (!all.empty()) target.data_received(all);
}

Deferred<> loopback_async(Reactor& reactor, ProtocolPtr server, ProtocolPtr client, PumpPolicy policy) {
    return std::make_shared<Loopback>(reactor, std::move(policy))->begin(std::move(server), std::move(client));
}

}  // namespace lariat::testing
