// SPDX-License-Identifier: MIT
// MemoryBackend: a Backend without a system below it, for testing::Clock and testing::MemoryReactor. Its time stands
// still until it is moved, its connection attempts wait until a test completes them, and its connected sockets carry
// bytes from one to the other inside the process. What runs on it is the real code: reactor, transports, ports and
// connectors.
//
// Names that are looked up have an address of 192.0.2.0/24 each. Work for threads is done by the loop itself. Threads:
// one. Where something is to happen on its own, with delays and losses, use a simulated network instead.
#pragma once

#include <lariat/io/address.hpp>
#include <lariat/io/backend.hpp>
#include <lariat/io/base/clock.hpp>
#include <lariat/io/base/random.hpp>

#include <atomic>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lariat::testing {

class MemoryBackend final : public io::Backend, public io::Simulation {
public:
    /// A connection attempt that waits to be completed.
    struct Attempt {
        int fd = -1;
        Address to;
    };

    MemoryBackend() noexcept;
    ~MemoryBackend() override;

    /// Moves the time; errors: UsageError for a negative `by`.
    void advance(Duration by);
    /// While frozen, waiting moves no time. Otherwise a wait for a deadline jumps there, as nobody else would, and a
    /// wait for nothing at all panics.
    void freeze(bool on) noexcept { frozen_ = on; }
    /// While held, no completion is handed over.
    void hold(bool on) noexcept { held_ = on; }
    /// The last turn of the loop found nothing to do and left nothing to be done now.
    [[nodiscard]] bool is_idle() const noexcept { return idle_; }

    /// What waits to be connected, the oldest first.
    [[nodiscard]] std::vector<Attempt> attempts() const;
    /// Connects an attempt to the socket that listens on its destination; false when there is none.
    bool establish(int attempt);
    /// Fails an attempt with a positive errno.
    void refuse(int attempt, int error) noexcept;
    /// Two connected sockets, bound to these addresses.
    std::pair<int, int> connected_pair(const Address& a, const Address& b);

    [[nodiscard]] std::string_view name() const noexcept override { return "memory"; }

    void submit(io::Op& op) noexcept override;
    void cancel(io::Op& op) noexcept override;
    void wait(TimePoint deadline) noexcept override;
    /// A round: what is caused by it is for the next call.
    std::size_t dispatch(std::size_t budget) noexcept override;
    [[nodiscard]] bool has_completions() const noexcept override { return !finished_.empty() || !ready_.empty(); }
    void wake() noexcept override { woken_.store(true); }

    int open_socket(int domain, int type) noexcept override;
    int bind(int fd, const Address& address) noexcept override;
    int listen(int fd, int backlog) noexcept override;
    /// Streams only: there are no sockets of datagrams here.
    int connect(int, const Address&) noexcept override { return -EOPNOTSUPP; }
    int local_address(int fd, Address& address) noexcept override;
    int peer_address(int fd, Address& address) noexcept override;
    int set_option(int fd, int level, int name, const void* value, socklen_t size) noexcept override;
    int get_option(int fd, int level, int name, void* value, socklen_t size) noexcept override;
    int shutdown(int fd, int how) noexcept override;
    void close(int fd) noexcept override;
    int adopt(int fd) noexcept override;
    std::ptrdiff_t try_send(int fd, std::span<const iovec> parts) noexcept override;
    std::ptrdiff_t try_send_to(int, std::span<const iovec>, const Address&) noexcept override { return -EOPNOTSUPP; }
    int try_accept(int fd) noexcept override;

    [[nodiscard]] TimePoint now() noexcept override { return now_; }
    [[nodiscard]] std::uint64_t random() noexcept override { return random_.next(); }
    [[nodiscard]] io::Simulation* simulation() noexcept override { return this; }
    [[nodiscard]] io::Ledger ledger() const noexcept override { return {operations_, sockets_.size(), 0}; }

    [[nodiscard]] const std::vector<Address>* look_up(std::string_view name) const override;
    [[nodiscard]] Duration draw_delay() noexcept override { return Duration::zero(); }
    [[nodiscard]] int take_signal() noexcept override { return 0; }
    [[nodiscard]] bool shares_process() const noexcept override { return true; }

private:
    struct Socket;
    struct Finished {
        io::Op* op;
        std::int32_t result;
    };

    [[nodiscard]] Socket* find(int fd) const noexcept;
    Socket& add(int domain);
    [[nodiscard]] bool taken(const Address& address) const noexcept;
    [[nodiscard]] Socket* listener(const Address& to) const noexcept;
    void join(Socket& a, Socket& b) noexcept;
    void look_at(Socket& socket) noexcept;
    void serve(Socket& socket) noexcept;
    void finish(io::Op& op, std::int32_t result) noexcept;
    void end(Socket& socket, io::Op& op, std::int32_t result) noexcept;
    std::size_t give(Socket& socket, std::span<const iovec> parts, std::size_t skip) noexcept;

    std::map<int, std::unique_ptr<Socket>> sockets_;
    std::deque<Finished> finished_;
    std::deque<int> ready_;  // sockets to be served; some may be closed
    std::vector<int> attempts_;
    mutable std::map<std::string, std::vector<Address>, std::less<>> names_;
    Random random_;
    TimePoint now_{};
    std::size_t operations_ = 0;
    int next_descriptor_;
    std::uint16_t next_port_ = 49152;  // the first that nobody registers
    std::atomic<bool> woken_{false};
    bool frozen_ = false;
    bool held_ = false;
    bool idle_ = false;
};

}  // namespace lariat::testing
