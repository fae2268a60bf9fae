// SPDX-License-Identifier: MIT
// Host: a machine of a simulated network. It has a name, addresses, a clock, and programs that start with it. When it
// crashes, everything it had open is gone without a word to anybody; restart() runs its programs anew.
#pragma once

#include <lariat/io/address.hpp>
#include <lariat/io/base/clock.hpp>
#include <lariat/io/base/function.hpp>
#include <lariat/io/base/random.hpp>
#include <lariat/io/sim/disk.hpp>
#include <lariat/io/sim/link.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lariat::sim {

class Node;
class Program;
class World;

/// One direction between two hosts.
struct Path {
    /// What `size` bytes that leave at `now` need to get there, drawn: the latency, the jitter and, where bandwidth is
    /// limited, their turn on the line.
    Duration transit(TimePoint now, std::size_t size, Random& random) noexcept;

    LinkOptions options;
    bool own_options = false;                 // set for this pair
    bool cut = false;                         // partitioned
    TimePoint busy_until = TimePoint::min();  // when what was sent has left, where bandwidth is limited
};

class Host {
public:
    Host(World& world, std::size_t index, std::string_view name, std::vector<Address> addresses);
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;
    ~Host();

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] const std::vector<Address>& addresses() const noexcept { return addresses_; }
    [[nodiscard]] World& world() noexcept { return world_; }

    /// Runs `main` as a program of this host, from the next event on and again after each restart(). What it returns is
    /// its exit status; what it throws is logged and makes the status 1.
    ///
    /// A Reactor without a backend of its own that `main` makes is on this host's network, whatever LARIAT_BACKEND
    /// says. Lifetime: what `main` refers to must outlive the World.
    void start(std::string_view program, Function<int()> main);
    /// Asks the programs to end, as SIGTERM does: their reactors stop.
    void terminate();
    /// Power goes off: peers hear nothing any more, and what was sent may or may not have left. The programs of before
    /// are asked to end, in a void without a network where only their own memory is left to be tidied up.
    void crash();
    /// Power comes back; connections of before are unknown here and are reset when their peers send.
    void restart();
    [[nodiscard]] bool is_up() const noexcept { return up_; }

    /// The exit status of the last run of `program`; nothing while it runs or when it never did.
    [[nodiscard]] std::optional<int> status(std::string_view program) const noexcept;
    [[nodiscard]] bool programs_running() const noexcept;
    /// The same, with those that still tidy up after a crash.
    [[nodiscard]] bool ghosts_running() const noexcept;

    /// What this host's clock shows is ahead of the world's by `offset`, and runs `ppm` millionths too fast. Set it
    /// before programs start: a monotonic clock must not step.
    void skew(Duration offset, std::int32_t ppm = 0) noexcept;
    /// Sockets and files one program may have open at once; beyond it there is EMFILE.
    void descriptor_limit(std::size_t limit) noexcept { descriptor_limit_ = limit; }
    /// SO_SNDBUF and SO_RCVBUF, in bytes, at least 1, of sockets that do not set them; 64 KiB unless said here. What is
    /// under way in one direction is at most the sender's and the receiver's together.
    void socket_buffers(int size) noexcept { socket_buffers_ = size; }

    /// What its programs open as files.
    [[nodiscard]] Disk& disk() noexcept { return disk_; }

    /// For the parts of the simulation.
    [[nodiscard]] TimePoint clock() const noexcept;
    [[nodiscard]] TimePoint world_time(TimePoint clock) const noexcept;
    [[nodiscard]] std::size_t index() const noexcept { return index_; }
    [[nodiscard]] std::size_t descriptor_limit() const noexcept { return descriptor_limit_; }
    [[nodiscard]] int socket_buffers() const noexcept { return socket_buffers_; }
    [[nodiscard]] Node& node() noexcept { return *nodes_.back(); }
    [[nodiscard]] bool has_address(const Address& address) const noexcept;
    /// Where connections to `destination` come from; ip(7).
    [[nodiscard]] Address source_for(const Address& destination) const;
    [[nodiscard]] Random& random() noexcept { return random_; }
    [[nodiscard]] Path& path_to(std::size_t host);
    /// The host whose program the calling code runs in; null outside of programs.
    [[nodiscard]] static Host* current() noexcept;

private:
    void trace(std::string_view what);

    World& world_;
    std::size_t index_;
    std::string name_;
    std::vector<Address> addresses_;
    Random random_;
    Disk disk_;
    std::vector<std::unique_ptr<Node>> nodes_;  // one per life of the host; the last is the present one
    std::vector<std::unique_ptr<Program>> programs_;
    std::vector<Path> paths_;  // by the index of the host they lead to
    Duration clock_offset_ = Duration::zero();
    std::int32_t clock_ppm_ = 0;
    std::size_t descriptor_limit_ = 20'000;
    int socket_buffers_ = 64 * 1024;
    bool up_ = true;
};

}  // namespace lariat::sim
