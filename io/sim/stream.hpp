// SPDX-License-Identifier: MIT
// Stream: one connection of a simulated network, TCP or UNIX. Its two ends outlive their sockets, as connections
// outlive descriptors in a kernel, until nothing of them is under way any more.
//
// What is sent becomes segments that arrive in order, each after the path's latency; a segment that cannot get through
// is sent again with growing pauses, and takes the connection with it when it never does (tcp(7), tcp_retries2 and
// tcp_syn_retries).
#pragma once

#include <lariat/io/address.hpp>
#include <lariat/io/base/clock.hpp>
#include <lariat/io/base/intrusive_list.hpp>
#include <lariat/io/base/timer_queue.hpp>
#include <lariat/io/sim/byte_queue.hpp>
#include <lariat/io/sim/node.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <sys/uio.h>

namespace lariat::sim {

class Socket;
class Stream;
class World;

/// What an End has sent and its peer has not taken yet.
class Pipe final : Timer {
public:
    enum class Kind : std::uint8_t { data, fin, reset, syn, syn_ack, ack };

    explicit Pipe(End& from) noexcept : Timer(&due), from_(from) {}

    void send(Kind kind, std::size_t size = 0);
    void push(const void* bytes, std::size_t count) { bytes_.push(bytes, count); }
    [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
    [[nodiscard]] std::size_t arrived() const noexcept { return arrived_; }
    void take(void* into, std::size_t count) noexcept {
        bytes_.pop(into, count);
        arrived_ -= count;
    }
    /// Forgets a drawn part of what is under way, or all of it.
    void lose_some() noexcept;
    void lose_all() noexcept;
    /// Lets arrive at once what has not been lost.
    void arrive_now() noexcept;
    [[nodiscard]] bool empty() const noexcept { return flight_.empty(); }
    /// What a segment of `size` bytes that leaves now needs, drawn.
    [[nodiscard]] Duration travel_time(std::size_t size) noexcept;

private:
    struct Segment {
        Kind kind;
        std::uint32_t size;
        TimePoint due;
    };

    static void due(Timer& timer) noexcept;
    void arrive() noexcept;
    void try_again() noexcept;
    void truncate(std::size_t segments) noexcept;

    End& from_;
    std::deque<Segment> flight_;
    ByteQueue bytes_;  // what has arrived and was not taken, then what is under way
    std::size_t arrived_ = 0;
    TimePoint last_due_ = TimePoint::min();
    unsigned tries_ = 0;  // of the first segment
};

class End : public ListHook<NodeTag> {
public:
    explicit End(Stream& owner) noexcept;

    [[nodiscard]] Stream& stream() noexcept { return stream_; }
    [[nodiscard]] End& peer() noexcept;
    [[nodiscard]] World& world() noexcept;
    [[nodiscard]] bool connected() const noexcept { return state_ == State::connected; }
    [[nodiscard]] bool connecting() const noexcept { return state_ == State::connecting; }

    // The socket's calls; see Socket.
    std::ptrdiff_t send(std::span<const iovec> parts);
    std::ptrdiff_t receive(void* into, std::size_t size);
    int shutdown(int how) noexcept;
    void close(bool with_reset) noexcept;
    /// The pending error of SO_ERROR, which asking clears.
    int take_error() noexcept;
    [[nodiscard]] std::size_t readable() noexcept { return peer().out.arrived(); }
    [[nodiscard]] bool has_something_to_read() noexcept;
    [[nodiscard]] std::uint32_t poll_events() noexcept;

    void accepted(Socket& by) noexcept;
    /// Its listening socket was closed before the handshake was done.
    void listener_closed() noexcept;
    void keep_alive_changed() noexcept { arm_keep_alive(); }

    /// A segment of the peer's has come.
    void arrived(Pipe::Kind kind, std::size_t size) noexcept;
    /// The connection is over without an exchange; `error` is what the next call is told.
    void fail(int error) noexcept;
    /// The host has lost its power.
    void vanish() noexcept;

    Node* node = nullptr;
    Socket* socket = nullptr;    // null before accept() and after close()
    Socket* listener = nullptr;  // where it waits to be accepted
    Address address;
    Pipe out;

private:
    friend class Stream;
    enum class State : std::uint8_t {
        none,  ///< nobody yet: the other end is calling
        connecting,
        handshake,  ///< called, and the caller has not heard of it
        waiting,    ///< to be accepted
        connected,
        closed,  ///< by its socket; what the peer sends is answered with a reset
        dead,    ///< reset, failed or vanished
    };
    /// The way of an acknowledgement to a sender that waits for room.
    struct Room : Timer {
        explicit Room(End& owner) noexcept : Timer(&fired), end(owner) {}
        static void fired(Timer& timer) noexcept;
        End& end;
    };
    struct KeepAlive : Timer {
        explicit KeepAlive(End& owner) noexcept : Timer(&fired), end(owner) {}
        static void fired(Timer& timer) noexcept;
        End& end;
        int missed = 0;
    };
    /// What a sender that waits for room asks a receiver that has lost its power.
    struct Probe : Timer {
        explicit Probe(End& owner) noexcept : Timer(&fired), end(owner) {}
        static void fired(Timer& timer) noexcept;
        End& end;
        unsigned asked = 0;
    };

    void called() noexcept;
    void reset_peer() noexcept;
    void notify() noexcept;
    void arm_keep_alive() noexcept;
    void want_room() noexcept;
    void arm_probe() noexcept;
    [[nodiscard]] std::size_t room() noexcept;

    Stream& stream_;
    State state_ = State::none;
    bool write_ended_ = false;  // FIN sent
    bool read_shut_ = false;
    bool end_seen_ = false;  // FIN came
    bool wants_room_ = false;
    int error_ = 0;
    Room room_;
    KeepAlive keep_alive_;
    Probe probe_;
};

class Stream : public ListHook<> {
public:
    /// `caller` begins to connect to `to`, of the host `host` or of nobody when that is null.
    static End& connect(World& world, Socket& caller, const Address& to, Host* host);
    ~Stream();

    [[nodiscard]] End& end(unsigned index) noexcept { return index == 0 ? caller_ : called_; }
    [[nodiscard]] World& world() noexcept { return world_; }
    [[nodiscard]] bool is_local() const noexcept { return local_; }
    /// Frees it when nobody holds an end and nothing is under way.
    void release() noexcept;
    void trace(const End& from, Pipe::Kind kind, std::size_t size);

private:
    Stream(World& world, bool local) noexcept : world_(world), local_(local), caller_(*this), called_(*this) {}

    World& world_;
    bool local_;  // a UNIX socket
    End caller_;
    End called_;
    friend class End;
};

}  // namespace lariat::sim
