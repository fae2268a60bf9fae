// SPDX-License-Identifier: MIT
// The two ends of a transfer of bytes: what each is to do, what it must get, and what became of it; and those that do
// it, with a Protocol and with a coroutine.
#pragma once

#include "pattern.hpp"
#include "trial.hpp"
#include <lariat/coro/deferred.hpp>
#include <lariat/coro/task.hpp>
#include <lariat/coro/tcp_stream.hpp>
#include <lariat/io/address.hpp>
#include <lariat/proto/factory.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>

namespace lariat::test {

/// What an end does when it has sent everything.
enum class Exit : std::uint8_t {
    closes,       ///< at once, and does not care what comes
    half_closes,  ///< ends its own direction and waits for the end of the other one
    waits,        ///< for the end of the stream; it has sent nothing
    aborts,       ///< some time after the beginning, whatever it has sent by then
};

class TransferEnd {
public:
    void is_to(Exit exit, Pattern out, Pattern in) noexcept {
        exit_ = exit;
        out_ = out;
        in_ = in;
    }
    [[nodiscard]] Exit exit() const noexcept { return exit_; }
    /// Then a Protocol must not go when the peer has ended its direction.
    [[nodiscard]] bool goes_both_ways() const noexcept { return out_.size() > 0 && in_.size() > 0; }
    [[nodiscard]] const Pattern& out() const noexcept { return out_; }
    [[nodiscard]] bool has_begun() const noexcept { return begun_; }
    [[nodiscard]] bool is_over() const noexcept { return over_; }
    [[nodiscard]] bool has_everything() const noexcept { return got_ == in_.size(); }

    // What happened to it, in this order.
    void begin(Trial& trial) {
        trial.require(!begun_, "a transfer has begun twice");
        begun_ = true;
    }
    void received(Trial& trial, std::string_view bytes);
    /// The peer says that this was all.
    void ended(Trial& trial);
    /// Nothing happens to it any more.
    void over(Trial& trial);

private:
    Exit exit_ = Exit::waits;
    Pattern out_, in_;
    std::size_t got_ = 0;
    bool begun_ = false;
    bool ended_ = false;
    bool over_ = false;
};

struct Transfer {
    Transfer(std::uint64_t number, Random drawn) noexcept : id(number), random(drawn) {}

    std::uint64_t id;  // what the client says first, in eight bytes
    Random random;
    TransferEnd client, server;
    bool must_be_whole = false;  // once it has begun
};

/// All transfers of a trial. They outlive the programs.
class Transfers {
public:
    Transfer& add(Random random) { return all_.emplace_back(all_.size(), random); }
    [[nodiscard]] std::size_t count() const noexcept { return all_.size(); }
    /// Null when there is none.
    [[nodiscard]] Transfer* find(std::uint64_t id) noexcept { return id < all_.size() ? &all_[id] : nullptr; }
    /// Whether one that must be whole has begun and is not over at the server.
    [[nodiscard]] bool any_under_way() const noexcept;
    void require_whole(Trial& trial) const;

    std::uint64_t servers = 0;  // the first hosts of the world

private:
    std::deque<Transfer> all_;
};

/// Eight bytes, and back.
std::string id_text(std::uint64_t id);
std::uint64_t id_of(std::string_view text);

// With coroutines.
Task<> serve_transfer(TcpStream peer, Trial& trial, Transfers& transfers);
/// Errors: those of connecting and of the stream.
Task<> transfer_with_stream(Trial& trial, Transfer& transfer, Address to);

// With Protocols. What it gives fires when the connection is lost, or was never made.
std::shared_ptr<ClientFactory> mover_factory(Trial& trial, Transfers& transfers, bool half_closeable);
Deferred<> transfer_with_protocol(Trial& trial, Transfer& transfer, const Address& to);

/// How long an end waits for a peer that says nothing.
inline constexpr Duration transfer_patience = std::chrono::minutes(3);

}  // namespace lariat::test
