// SPDX-License-Identifier: MIT
// The ends of a transfer that are Protocols.
#include "transfer_ends.hpp"
#include <lariat/lariat.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace lariat::test {
namespace {

using namespace std::chrono_literals;

/// Sends by itself, as a push producer or as a pull producer; pauses its transport and goes on again.
class Mover : public Protocol {
public:
    /// An end that knows what to do, and who wants to know when it is over.
    Mover(Trial& trial, Transfer& transfer, Deferred<> done)
        : trial_(trial), transfers_(nullptr), transfer_(&transfer), done_(std::move(done)) {}
    /// A server's, which is told.
    Mover(Trial& trial, Transfers& transfers) : trial_(trial), transfers_(&transfers) {}

    void connection_made() override {
        trial_.require(++made_ == 1 && lost_ == 0, "connection_made came twice or late");
        restart_patience();
        if (transfers_) return;
        transport().write(id_text(transfer_->id));
        begin(transfer_->client, transfer_->random.fork("client"));
    }
    void data_received(Bytes data) override {
        trial_.require(made_ == 1 && lost_ == 0, "data_received came before connection_made or after connection_lost");
        trial_.require(!paused_, "data_received came while the transport was paused");
        restart_patience();
        std::string_view text = data.text();
        if (!end_) {
            const std::size_t missing = sizeof(std::uint64_t) - id_.size();
            id_ += text.substr(0, missing);
            text.remove_prefix(std::min(missing, text.size()));
            if (id_.size() < sizeof(std::uint64_t)) return;
            transfer_ = transfers_->find(id_of(id_));
            trial_.require(transfer_ != nullptr, "a transfer was invented");
            if (!transfer_) return transport().abort_connection();
            begin(transfer_->server, transfer_->random.fork("server"));
        }
        if (text.empty()) return;
        end_->received(trial_, text);
        if (random_.chance(50)) pause();
    }
    void connection_lost(const Failure& reason) override {
        trial_.require(made_ == 1 && ++lost_ == 1, "connection_lost came twice or alone");
        for (DelayedCall* call : {&patience_, &pause_, &write_, &abort_}) {
            if (call->active()) call->cancel();
        }
        if (end_) {
            const bool told = reason.check<ConnectionDone>() && end_->exit() == Exit::waits;
            if (told) end_->ended(trial_);
            end_->over(trial_);
        }
        if (transfers_) return;  // nobody waits
        if (reason.check<ConnectionDone>()) {
            done_.callback();
        } else {
            done_.errback(reason);
        }
    }

protected:
    Trial& trial() noexcept { return trial_; }
    TransferEnd* end() noexcept { return end_; }
    [[nodiscard]] bool is_lost() const noexcept { return lost_ > 0; }

private:
    struct Pusher final : PushProducer {
        explicit Pusher(Mover& owner) noexcept : mover(owner) {}
        void pause_producing() override { mover.told_to_pause_ = true; }
        void resume_producing() override {
            mover.trial_.require(mover.told_to_pause_, "a producer that was not paused was told to resume");
            mover.told_to_pause_ = false;
            mover.write_on();
        }
        void stop_producing() override { mover.left_to_write_ = 0; }
        Mover& mover;
    };
    struct Puller final : PullProducer {
        explicit Puller(Mover& owner) noexcept : mover(owner) {}
        void resume_producing() override { mover.write_block(); }
        void stop_producing() override { mover.left_to_write_ = 0; }
        Mover& mover;
    };

    void begin(TransferEnd& end, Random random) {
        end_ = &end;
        random_ = random;
        end.begin(trial_);
        left_to_write_ = end.out().size();
        largest_ = std::uint64_t(1) << random_.between(8, 18);
        if (end.exit() == Exit::aborts) {
            const std::uint64_t magnitude = random_.between(1, 22);
            abort_ =
                call_later(random_.below(std::uint64_t(1) << magnitude), [this] { transport().abort_connection(); });
        }
        if (left_to_write_ == 0) return finish();
        switch (random_.below(3)) {
        case 0:
            while (left_to_write_ > 0) write_block();
            break;
        case 1:
            transport().register_producer(static_cast<PushProducer&>(pusher_));
            write_on();
            break;
        case 2:
            transport().register_producer(static_cast<PullProducer&>(puller_));
            // The close waits until the producer has unregistered.
            if (end.exit() == Exit::closes && random_.chance(300)) transport().lose_connection();
            break;
        }
    }
    /// One block, and behind the last one what is to be done then.
    void write_block() {
        const Pattern& out = end_->out();
        const std::string block = out.text(out.size() - left_to_write_, random_.between(1, largest_));
        left_to_write_ -= block.size();
        const std::string_view text = block;
        switch (random_.below(3)) {
        case 0: transport().write(text); break;
        case 1: transport().write(Buffer::copy_of(text)); break;
        case 2: transport().write_sequence({text.substr(0, text.size() / 2), text.substr(text.size() / 2)}); break;
        }
        if (left_to_write_ > 0) return;
        transport().unregister_producer();
        finish();
    }
    void write_on() {
        while (left_to_write_ > 0 && !told_to_pause_ && !write_.active()) {
            write_block();
            if (left_to_write_ > 0 && random_.chance(200)) {
                write_ = call_later(random_.below(10'000), [this] { write_on(); });
            }
        }
    }
    void finish() {
        if (end_->exit() == Exit::closes) transport().lose_connection();
        if (end_->exit() == Exit::half_closes) transport().lose_write_connection();
    }
    void pause() {
        if (paused_ || transport().disconnecting()) return;
        paused_ = true;
        transport().pause_producing();
        const std::uint64_t longest = random_.chance(300) ? 3'000'000 : 5'000;
        pause_ = call_later(random_.below(longest), [this] {
            paused_ = false;
            transport().resume_producing();
            if (random_.chance(300)) pause();  // before anything has come
        });
    }
    void restart_patience() {
        if (patience_.active()) patience_.cancel();
        patience_ = Reactor::current()->call_later(transfer_patience, [this] { transport().abort_connection(); });
    }
    static DelayedCall call_later(std::uint64_t microseconds, Function<void()> f) {
        return Reactor::current()->call_later(std::chrono::microseconds(microseconds), std::move(f));
    }

    Trial& trial_;
    Transfers* transfers_;
    Transfer* transfer_ = nullptr;
    TransferEnd* end_ = nullptr;
    Deferred<> done_;
    std::string id_;
    Random random_{0};
    Pusher pusher_{*this};
    Puller puller_{*this};
    DelayedCall patience_, pause_, write_, abort_;
    std::size_t left_to_write_ = 0;
    std::uint64_t largest_ = 0;
    bool told_to_pause_ = false;
    bool paused_ = false;
    int made_ = 0;
    int lost_ = 0;
};

class HalfMover final : public Mover, public HalfCloseableProtocol {
public:
    using Mover::Mover;

    void read_connection_lost() override {
        trial().require(!is_lost() && ++reads_lost_ == 1, "read_connection_lost came twice or late");
        if (end()) end()->ended(trial());
    }
    void write_connection_lost() override {
        trial().require(!is_lost() && ++writes_lost_ == 1, "write_connection_lost came twice or late");
    }

private:
    int reads_lost_ = 0;
    int writes_lost_ = 0;
};

class MoverFactory final : public ClientFactory {
public:
    MoverFactory(Trial& trial, Transfer& transfer, Deferred<> done)
        : trial_(trial), transfer_(transfer), done_(std::move(done)) {}
    ProtocolPtr build_protocol(const Address&) override {
        if (transfer_.client.goes_both_ways()) return std::make_shared<HalfMover>(trial_, transfer_, done_);
        return std::make_shared<Mover>(trial_, transfer_, done_);
    }
    void client_connection_failed(Connector&, const Failure& reason) override { done_.errback(reason); }

private:
    Trial& trial_;
    Transfer& transfer_;
    Deferred<> done_;
};

}  // namespace

std::shared_ptr<ClientFactory> mover_factory(Trial& trial, Transfers& transfers, bool half_closeable) {
    if (half_closeable) return factory_for<HalfMover>(std::ref(trial), std::ref(transfers));
    return factory_for<Mover>(std::ref(trial), std::ref(transfers));
}

Deferred<> transfer_with_protocol(Trial& trial, Transfer& transfer, const Address& to) {
    Deferred<> done;
    Reactor::current()->connect_tcp(to.host(), to.port(), std::make_shared<MoverFactory>(trial, transfer, done),
                                    ConnectOptions().timeout(transfer_patience));
    return done;
}

}  // namespace lariat::test
