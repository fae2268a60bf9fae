// SPDX-License-Identifier: MIT
// The ends of a transfer that are coroutines.
#include "transfer_ends.hpp"
#include <lariat/lariat.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>

namespace lariat::test {
namespace {

using namespace std::chrono_literals;

/// Mostly no pause, sometimes one that fills every window.
Task<> pause(Random& random) {
    if (random.chance(30)) {
        co_await sleep(std::chrono::milliseconds(random.below(3'000)));
    } else if (random.chance(100)) {
        co_await sleep(std::chrono::microseconds(random.below(5'000)));
    }
}

Task<> send_out(TcpStream& stream, const TransferEnd& end, Random random) {
    const Pattern& out = end.out();
    const std::uint64_t largest = std::uint64_t(1) << random.between(8, 18);
    const bool hurries = random.chance(300);
    try {
        for (std::size_t sent = 0; sent < out.size();) {
            const std::string block = out.text(sent, random.between(1, largest));
            sent += block.size();
            if (hurries) {
                // Who does not wait goes on; what was written leaves all the same.
                co_await as_result(stream.write(block).within(1ms));
            } else if (random.chance(500)) {
                co_await stream.write(block);
            } else {
                co_await stream.write(Buffer::copy_of(Bytes(std::string_view(block))));
            }
            co_await pause(random);
        }
        if (end.exit() == Exit::half_closes) stream.shutdown_write();
    } catch (const ConnectionClosed&) {  // who reads hears of it, too
    }
}

Task<> receive_all(TcpStream& stream, Trial& trial, TransferEnd& end, Random random) {
    while (const Buffer data = co_await stream.read_some().within(transfer_patience)) {
        end.received(trial, data.text());
        co_await pause(random);
    }
    end.ended(trial);
}

Task<> abort_later(TcpStream& stream, Random random) {
    co_await sleep(std::chrono::microseconds(random.below(std::uint64_t(1) << random.between(1, 22))));
    stream.abort();
}

Task<> do_both(TaskScope& scope, TcpStream& stream, Trial& trial, TransferEnd& end, Random random) {
    const JoinHandle<> sender = scope.spawn(send_out, std::ref(stream), std::cref(end), random.fork("out"));
    if (end.exit() == Exit::aborts) scope.spawn(abort_later, std::ref(stream), random.fork("abort"));
    if (end.exit() != Exit::closes) co_await receive_all(stream, trial, end, random.fork("in"));
    co_await sender;
}

Task<> play(TcpStream& stream, Trial& trial, TransferEnd& end, Random random, bool in_background) {
    co_await with_scope(do_both, std::ref(stream), std::ref(trial), std::ref(end), random.fork("both"));
    // Without this, what is left to send leaves when the stream has gone.
    if (!in_background || random.chance(500)) co_await stream.close();
}

/// It is over, however it came.
Task<> play_to_the_end(TcpStream stream, Trial& trial, TransferEnd& end, Random random, bool in_background) {
    end.begin(trial);
    const Outcome<> outcome = co_await as_result(play(stream, trial, end, random, in_background));
    end.over(trial);
    if (outcome) co_return;
    stream.abort();
    outcome.failure().raise();
}

}  // namespace

std::string id_text(std::uint64_t id) {
    std::string text(sizeof id, '\0');
    std::memcpy(text.data(), &id, sizeof id);
    return text;
}

std::uint64_t id_of(std::string_view text) {
    std::uint64_t id = 0;
    std::memcpy(&id, text.data(), sizeof id);
    return id;
}

void TransferEnd::received(Trial& trial, std::string_view bytes) {
    trial.require(begun_ && !ended_ && !over_, "bytes came before the beginning or after the end");
    trial.require(in_.matches(got_, bytes), "a transfer brought other bytes than were sent");
    got_ += bytes.size();
}

void TransferEnd::ended(Trial& trial) {
    trial.require(begun_ && !ended_ && !over_, "the end of the stream came twice, or after the end of the connection");
    trial.require_unless_short(has_everything(), "an orderly end came before the last byte");
    ended_ = true;
}

void TransferEnd::over(Trial& trial) {
    trial.require(begun_ && !over_, "the end of the connection came twice, or alone");
    over_ = true;
}

bool Transfers::any_under_way() const noexcept {
    return std::any_of(all_.begin(), all_.end(), [](const Transfer& each) {
        return each.must_be_whole && each.client.has_begun() && !each.server.is_over();
    });
}

void Transfers::require_whole(Trial& trial) const {
    for (const Transfer& transfer : all_) {
        if (!transfer.must_be_whole || !transfer.client.has_begun()) continue;
        const bool whole = transfer.client.has_everything() && transfer.server.has_everything();
        trial.require(whole, "a transfer is not whole, though the network was");
    }
}

Task<> serve_transfer(TcpStream peer, Trial& trial, Transfers& transfers) {
    try {
        const Buffer first = co_await peer.read_exactly(sizeof(std::uint64_t));
        Transfer* transfer = transfers.find(id_of(first.text()));
        trial.require(transfer != nullptr, "a transfer was invented");
        if (transfer)
            co_await play_to_the_end(std::move(peer), trial, transfer->server, transfer->random.fork("server"), true);
    } catch (const ConnectionClosed&) {  // the network's fault, or it was aborted
    } catch (const EndOfStream&) {
    } catch (const TimedOut&) {}
}

Task<> transfer_with_stream(Trial& trial, Transfer& transfer, Address to) {
    TcpStream stream = co_await connect(to).within(transfer_patience);
    co_await stream.write(id_text(transfer.id));
    // A program that ends grants five seconds to what leaves in the background; one that sees a transfer arrive stays.
    co_await play_to_the_end(std::move(stream), trial, transfer.client, transfer.random.fork("client"),
                             transfer.must_be_whole);
}

}  // namespace lariat::test
