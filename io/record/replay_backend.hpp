// SPDX-License-Identifier: MIT
// ReplayBackend: the world as a recording has it, without a kernel. The program is told what it was told when it was
// recorded and goes through the same states, however long it takes and wherever a debugger stops it.
//
// Everything the program asks is compared with the recording. Where the two differ, or where the recording ends and
// the program does not, the process ends with one line on stderr: what the program asked, what the recording has, the
// number of the event, and what usually causes it; the line is followed by abort(), so that a debugger shows the place.
#pragma once

#include <lariat/io/backend.hpp>
#include <lariat/io/buffer_pool.hpp>
#include <lariat/io/kernel_backend.hpp>
#include <lariat/io/record/event.hpp>
#include <lariat/io/record/recording.hpp>
#include <lariat/io/tape.hpp>

#include <cstdint>
#include <semaphore.h>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lariat::io {

class ReplayBackend final : public Backend {
public:
    /// `number` is the place of this recording among those of the process. Errors: UsageError as Recording.
    explicit ReplayBackend(const std::string& file, const BackendOptions& options = {}, std::uint32_t number = 0);
    ~ReplayBackend() override;

    [[nodiscard]] const Recording& recording() const noexcept { return recording_; }

    /// That of the backend that was recorded.
    [[nodiscard]] std::string_view name() const noexcept override { return recording_.header().backend; }
    void submit(Op& op) noexcept override;
    void cancel(Op& op) noexcept override;
    /// Returns at once: what completes is in the recording. A loop that only waits for other threads does not spin.
    void wait(TimePoint deadline) noexcept override;
    std::size_t dispatch(std::size_t budget) noexcept override;
    [[nodiscard]] bool has_completions() const noexcept override;
    void wake() noexcept override { ::sem_post(&woken_); }

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
    int adopt(int fd) noexcept override;
    std::ptrdiff_t try_send(int fd, std::span<const iovec> parts) noexcept override;
    std::ptrdiff_t try_send_to(int fd, std::span<const iovec> parts, const Address& to) noexcept override;
    int try_accept(int fd) noexcept override;

    [[nodiscard]] TimePoint now() noexcept override;
    [[nodiscard]] std::uint64_t random() noexcept override;
    [[nodiscard]] Simulation* simulation() noexcept override {
        return recording_.header().simulated ? &answers_ : nullptr;
    }
    [[nodiscard]] Tape* tape() noexcept override { return &tape_; }
    [[nodiscard]] Ledger ledger() const noexcept override {
        return {in_flight_.size(), descriptors_, pool_->outstanding()};
    }

private:
    class Answers final : public Simulation {
    public:
        explicit Answers(ReplayBackend& owner) noexcept : owner_(owner) {}
        [[nodiscard]] const std::vector<Address>* look_up(std::string_view name) const override;
        [[nodiscard]] Duration draw_delay() noexcept override;
        [[nodiscard]] int take_signal() noexcept override;
        [[nodiscard]] bool shares_process() const noexcept override;

    private:
        ReplayBackend& owner_;
        mutable std::vector<Address> found_;
    };
    class Player final : public Tape {
    public:
        Player(ReplayBackend& owner, std::uint32_t number) noexcept : owner_(owner), number_(number) {}
        [[nodiscard]] bool replays() const noexcept override { return true; }
        [[nodiscard]] std::uint32_t number() const noexcept override { return number_; }
        bool mail(std::vector<Sender>& senders) override;
        int signal(int caught) noexcept override;
        void deadline(TimePoint when) noexcept override;
        void answer(std::uint64_t id, NameAnswer& answer) override;
        bool withdraw(std::uint64_t work, bool not_begun) noexcept override;
        [[nodiscard]] bool is_withdrawn(std::uint64_t work) const noexcept override;
        [[nodiscard]] bool has_answer(std::uint64_t id) const noexcept override;
        bool sleep(Duration limit) noexcept override;
        [[noreturn]] void diverged(const std::string& what) noexcept override;

    private:
        ReplayBackend& owner_;
        std::uint32_t number_;
    };

    [[nodiscard]] EventBytes& begin(EventKind kind) const { return asked_.begin(kind); }
    [[nodiscard]] EventBytes& begin(EventKind kind, int fd) const;
    EventReader answer_to(const EventBytes& asked) const;
    int integer_answer(const EventBytes& asked) const { return static_cast<int>(answer_to(asked).integer()); }
    std::ptrdiff_t send_answer(const EventBytes& asked) noexcept;
    int address_answer(const EventBytes& asked, Address& address) const;
    [[nodiscard]] std::string recorded_text() const;
    [[noreturn]] void diverged(const std::string& what) const;
    [[noreturn]] void end_of_recording(const std::string& what) const;

    mutable Recording recording_;  // has_completions() is const to those who ask and an event all the same
    mutable EventBytes asked_;
    Answers answers_;
    Player tape_;
    BufferPoolPtr pool_;
    sem_t woken_;
    std::unordered_map<std::uint64_t, Op*> in_flight_;  // by number, in the order of submission
    std::vector<int> adopted_;                          // in the order of adoption, with the numbers of this process
    std::uint64_t submitted_ = 0;
    std::size_t descriptors_ = 0;
    TimePoint time_ = {};  // as now() said last
    bool waited_ = false;  // and nothing was dispatched since
};

}  // namespace lariat::io
