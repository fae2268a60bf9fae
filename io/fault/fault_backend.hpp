// SPDX-License-Identifier: MIT
// FaultBackend: another backend with faults, all of them what a kernel may do. What Backend promises still holds for
// whoever uses it: an operation owns its memory until its last completion and has exactly one last completion, the
// completions of a descriptor keep their order, a success is delivered, a cancellation ends what it cancels.
//
//     auto faulty = std::make_unique<io::FaultBackend>(io::make_backend(kind), io::FaultPlan(seed).disturb(100));
//     const io::FaultCounts& counts = faulty->counts();
//     Reactor reactor(std::move(faulty));
//
// Each operation of the user's is done by one of this backend's own on the backend below, so that its completions can
// be split, held back, repeated and exchanged. A turn is a call of wait(); while something is held back, wait() does
// not sleep.
#pragma once

#include <lariat/io/backend.hpp>
#include <lariat/io/base/random.hpp>
#include <lariat/io/fault/fault_plan.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace lariat::io {

class FaultBackend final : public Backend {
public:
    FaultBackend(std::unique_ptr<Backend> below, const FaultPlan& plan);
    ~FaultBackend() override;

    [[nodiscard]] const FaultPlan& plan() const noexcept { return plan_; }
    /// From here on, other faults. What is under way already is not changed.
    void set_plan(const FaultPlan& plan) noexcept { plan_ = plan; }
    [[nodiscard]] const FaultCounts& counts() const noexcept { return counts_; }
    [[nodiscard]] Backend& below() noexcept { return *below_; }

    /// That of the backend below.
    [[nodiscard]] std::string_view name() const noexcept override { return below_->name(); }
    void submit(Op& op) noexcept override;
    void cancel(Op& op) noexcept override;
    void wait(TimePoint deadline) noexcept override;
    std::size_t dispatch(std::size_t budget) noexcept override;
    [[nodiscard]] bool has_completions() const noexcept override { return !ready_.empty(); }
    void wake() noexcept override { below_->wake(); }

    int open_socket(int domain, int type) noexcept override;
    int bind(int fd, const Address& address) noexcept override { return below_->bind(fd, address); }
    int listen(int fd, int backlog) noexcept override { return below_->listen(fd, backlog); }
    int connect(int fd, const Address& to) noexcept override { return below_->connect(fd, to); }
    int local_address(int fd, Address& address) noexcept override { return below_->local_address(fd, address); }
    int peer_address(int fd, Address& address) noexcept override { return below_->peer_address(fd, address); }
    int set_option(int fd, int level, int name, const void* value, socklen_t size) noexcept override {
        return below_->set_option(fd, level, name, value, size);
    }
    int get_option(int fd, int level, int name, void* value, socklen_t size) noexcept override {
        return below_->get_option(fd, level, name, value, size);
    }
    int shutdown(int fd, int how) noexcept override { return below_->shutdown(fd, how); }
    void close(int fd) noexcept override {
        cut_.erase(fd);
        below_->close(fd);
    }
    int adopt(int fd) noexcept override { return below_->adopt(fd); }
    std::ptrdiff_t try_send(int fd, std::span<const iovec> parts) noexcept override;
    std::ptrdiff_t try_send_to(int fd, std::span<const iovec> parts, const Address& to) noexcept override;
    int try_accept(int fd) noexcept override;

    [[nodiscard]] TimePoint now() noexcept override { return below_->now(); }
    [[nodiscard]] std::uint64_t random() noexcept override { return below_->random(); }
    [[nodiscard]] Simulation* simulation() noexcept override { return below_->simulation() ? &answers_ : nullptr; }
    [[nodiscard]] Tape* tape() noexcept override { return below_->tape(); }
    /// Operations are the user's; buffers include those that wait here to be delivered.
    [[nodiscard]] Ledger ledger() const noexcept override;

private:
    struct Request;

    /// A completion on its way to the user. Known by the request's serial number and its place among the request's
    /// completions, so that a second copy finds that the first was delivered.
    struct Event {
        Request* request;
        std::uint64_t serial;
        std::uint32_t number;
        int fd;
        bool copy;
        std::uint64_t due;  // the turn
        Completion completion;
        Address from;            // of a datagram
        bool truncated = false;  // a datagram
    };
    class Answers final : public Simulation {
    public:
        explicit Answers(FaultBackend& owner) noexcept : owner_(owner) {}
        [[nodiscard]] const std::vector<Address>* look_up(std::string_view name) const override;
        [[nodiscard]] Duration draw_delay() noexcept override;
        [[nodiscard]] int take_signal() noexcept override;
        [[nodiscard]] bool shares_process() const noexcept override;

    private:
        FaultBackend& owner_;
    };

    [[nodiscard]] bool chance(Fault fault) noexcept { return random_.chance(plan_.rate(fault)); }
    bool draw(Fault fault) noexcept;
    bool draw_shortage(Fault& fault, bool descriptors) noexcept;
    [[nodiscard]] std::uint64_t some_turns() noexcept;
    [[nodiscard]] std::size_t part_of(std::size_t size) noexcept;
    bool storm() noexcept;

    Request& make_request(Op& op);
    void release(Request& request) noexcept;
    [[nodiscard]] std::int32_t refuse(const Op& op) noexcept;
    [[nodiscard]] std::int32_t refuse_file(const FileOp& op) noexcept;
    void start(Request& request) noexcept;
    void start_send(Request& request) noexcept;
    static void on_completion(Op& op, Completion& completion) noexcept;
    void completed(Request& request, Completion& completion) noexcept;
    void sent(Request& request, Completion& completion) noexcept;
    void interrupt(Request& request) noexcept;
    bool interrupted(Request& request, Completion& completion) noexcept;
    void post_received(Request& request, Completion& completion) noexcept;
    void post(Request& request, Completion completion, std::uint64_t not_before = 0) noexcept;
    void run_late() noexcept;
    void release_events() noexcept;
    void place(Event event) noexcept;

    std::unique_ptr<Backend> below_;
    FaultPlan plan_;
    FaultCounts counts_;
    Random random_;
    Answers answers_;
    std::vector<std::unique_ptr<Request>> requests_;
    std::vector<Request*> free_;
    std::vector<Request*> late_;   // submissions and cancellations that wait for their turn
    std::deque<Event> held_;       // in the order of their coming
    std::deque<Event> ready_;      // for dispatch()
    std::unordered_set<int> cut_;  // descriptors whose last send ended early below
    std::uint64_t turn_ = 0;
    std::uint64_t serials_ = 0;
    std::uint64_t late_submissions_ = 0;
    std::size_t operations_ = 0;
    unsigned storm_left_ = 0;
};

}  // namespace lariat::io
