// SPDX-License-Identifier: MIT
// SimBackend: the Backend of a program on a simulated host. Operations complete as on a kernel, from readiness, in an
// order that is drawn; waiting lets the rest of the world go on and moves virtual time.
//
// What a turn of the loop takes is drawn too, some hundred nanoseconds, so that a program that never waits still lets
// time pass. Files are those of the host's Disk. Real descriptors (pipes) cannot be used: operations on them end with
// -EBADF.
#pragma once

#include <lariat/io/backend.hpp>
#include <lariat/io/base/intrusive_list.hpp>
#include <lariat/io/base/timer_queue.hpp>
#include <lariat/io/buffer_pool.hpp>
#include <lariat/io/kernel_backend.hpp>

#include <atomic>
#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

namespace lariat::sim {

class FileWork;
class Host;
class Node;
class Program;
class Socket;
class World;

class SimBackend final : public io::Backend, public io::Simulation, public ListHook<> {
public:
    /// On the host whose program the calling code runs in; outside of programs on that of World::standalone().
    explicit SimBackend(const io::BackendOptions& options = {});
    /// On `host`, outside of its programs: waiting here lets the world go on. Lifetime: the World must live longer.
    explicit SimBackend(Host& host, const io::BackendOptions& options = {});
    ~SimBackend() override;

    [[nodiscard]] std::string_view name() const noexcept override { return "sim"; }

    void submit(io::Op& op) noexcept override;
    void cancel(io::Op& op) noexcept override;
    void wait(TimePoint deadline) noexcept override;
    std::size_t dispatch(std::size_t budget) noexcept override;
    [[nodiscard]] bool has_completions() const noexcept override { return !finished_.empty() || !ready_.empty(); }
    void wake() noexcept override;

    int open_socket(int domain, int type) noexcept override;
    int bind(int fd, const Address& address) noexcept override;
    int listen(int fd, int backlog) noexcept override;
    int connect(int fd, const Address& to) noexcept override;
    int local_address(int fd, Address& address) noexcept override;
    int peer_address(int fd, Address& address) noexcept override;
    int set_option(int fd, int level, int name, const void* value, socklen_t size) noexcept override;
    int get_option(int fd, int level, int name, void* value, socklen_t size) noexcept override;
    int shutdown(int fd, int how) noexcept override;
    void close(int fd) noexcept override;
    /// For sockets of this host that another of its backends opened.
    int adopt(int fd) noexcept override;
    std::ptrdiff_t try_send(int fd, std::span<const iovec> parts) noexcept override;
    std::ptrdiff_t try_send_to(int fd, std::span<const iovec> parts, const Address& to) noexcept override;
    int try_accept(int fd) noexcept override;

    [[nodiscard]] TimePoint now() noexcept override;
    [[nodiscard]] std::uint64_t random() noexcept override;
    [[nodiscard]] io::Simulation* simulation() noexcept override { return this; }
    [[nodiscard]] io::Ledger ledger() const noexcept override;

    [[nodiscard]] const std::vector<Address>* look_up(std::string_view name) const override;
    [[nodiscard]] Duration draw_delay() noexcept override;
    [[nodiscard]] int take_signal() noexcept override { return std::exchange(signal_, 0); }

    [[nodiscard]] bool shares_process() const noexcept override { return program_ != nullptr; }

    /// Asks the program to end.
    void raise(int signal) noexcept;
    /// Something has happened to `socket`.
    void look_at(Socket& socket) noexcept;
    /// wake() may have been called.
    void look_at_wake() noexcept;

private:
    friend FileWork;
    struct Wake : Timer {
        explicit Wake(SimBackend& owner) noexcept : Timer(&fired), backend(owner) {}
        static void fired(Timer& timer) noexcept;
        SimBackend& backend;
    };
    struct Finished {
        io::Op* op;
        std::int32_t result;
    };

    SimBackend(std::shared_ptr<World> owned, Program* program, const io::BackendOptions& options);
    SimBackend(std::shared_ptr<World> owned, Node& node, Program* program, const io::BackendOptions& options);

    void run_soon() noexcept;
    std::size_t run(Socket& socket) noexcept;
    std::size_t run_receive(Socket& socket, io::Op& op) noexcept;
    std::size_t run_receive_from(Socket& socket, io::ReceiveFromOp& op) noexcept;
    std::size_t run_accept(Socket& socket, io::Op& op) noexcept;
    std::size_t run_connect(Socket& socket, io::Op& op) noexcept;
    std::size_t run_send(Socket& socket, io::SendOp& op) noexcept;
    void take_polls(Socket& socket) noexcept;
    void start_file(io::FileOp& op) noexcept;
    void cancel_file(io::FileOp& op) noexcept;
    void count_file(const io::FileOp& op, std::int32_t result) noexcept;
    io::Chunk& make_chunk(std::size_t size);
    Socket* pick() noexcept;
    int accept_now(Socket& listener);
    void detach(Socket& socket, io::Op& op) noexcept;
    void finish(io::Op& op, std::int32_t result) noexcept;
    std::size_t end(Socket& socket, io::Op& op, std::int32_t result) noexcept;

    std::shared_ptr<World> owned_;  // the stand-alone one
    Node& node_;
    World& world_;
    Program* program_;  // null when nobody else runs on this stack
    io::BufferPoolPtr pool_;
    Wake wake_;
    std::deque<Finished> finished_;
    std::vector<Socket*> ready_;  // null where one was closed
    std::size_t operations_ = 0;
    std::size_t descriptors_ = 0;
    std::atomic<bool> woken_{false};
    int signal_ = 0;
    bool waiting_ = false;
    bool runs_ = false;  // the wait is over
};

}  // namespace lariat::sim
