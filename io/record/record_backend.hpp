// SPDX-License-Identifier: MIT
// RecordBackend: another backend, and a file of everything by which the outside world reaches the program: the result
// of each call, times and random numbers, which completions a turn dispatched, in which order and with which bytes; and
// beside the seam, through its Tape, calls from other threads, signals and the answers of name servers. A ReplayBackend
// drives the same program through the same run from that file.
//
//     Reactor reactor(std::make_unique<io::RecordBackend>(io::make_backend(kind), "run.rec"));
//
// LARIAT_RECORD=run.rec does the same without a change of code; see io/make_backend.hpp. What an event tells is in the
// file before the program is told: a program that dies loses nothing.
#pragma once

#include <lariat/io/backend.hpp>
#include <lariat/io/record/event.hpp>
#include <lariat/io/record/recording_writer.hpp>
#include <lariat/io/tape.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace lariat::io {

class RecordBackend final : public Backend {
public:
    /// `number` is the place of this recording among those of the process. Errors: UsageError and Error as
    /// RecordingWriter.
    RecordBackend(std::unique_ptr<Backend> below, const std::string& file, std::uint32_t number = 0);
    ~RecordBackend() override;

    /// That of the backend below.
    [[nodiscard]] std::string_view name() const noexcept override { return below_->name(); }
    void submit(Op& op) noexcept override;
    void cancel(Op& op) noexcept override;
    void wait(TimePoint deadline) noexcept override;
    std::size_t dispatch(std::size_t budget) noexcept override;
    [[nodiscard]] bool has_completions() const noexcept override;
    void wake() noexcept override { below_->wake(); }

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
    [[nodiscard]] Simulation* simulation() noexcept override { return below_->simulation() ? &answers_ : nullptr; }
    [[nodiscard]] Tape* tape() noexcept override { return &tape_; }
    /// Operations are the user's; one that is still being cancelled below is none.
    [[nodiscard]] Ledger ledger() const noexcept override;

private:
    struct InFlight {
        std::uint64_t number;  // in the order of submission
        Op::Handler handler;
    };
    class Answers final : public Simulation {
    public:
        explicit Answers(RecordBackend& owner) noexcept : owner_(owner) {}
        [[nodiscard]] const std::vector<Address>* look_up(std::string_view name) const override;
        [[nodiscard]] Duration draw_delay() noexcept override;
        [[nodiscard]] int take_signal() noexcept override;
        [[nodiscard]] bool shares_process() const noexcept override;

    private:
        [[nodiscard]] Simulation& below() const noexcept { return *owner_.below_->simulation(); }
        RecordBackend& owner_;
    };
    class Recorder final : public Tape {
    public:
        Recorder(RecordBackend& owner, std::uint32_t number) noexcept : owner_(owner), number_(number) {}
        [[nodiscard]] bool replays() const noexcept override { return below() && below()->replays(); }
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
        [[nodiscard]] Tape* below() const noexcept { return owner_.below_->tape(); }
        RecordBackend& owner_;
        std::uint32_t number_;
    };

    static void on_completion(Op& op, Completion& completion) noexcept;
    void completed(Op& op, Completion& completion) noexcept;
    [[nodiscard]] EventBytes& begin(EventKind kind) const { return event_.begin(kind); }
    [[nodiscard]] EventBytes& begin(EventKind kind, int fd) const { return event_.begin(kind).number(code_of(fd)); }
    [[nodiscard]] std::uint64_t code_of(int fd) const noexcept;
    void opened(int fd) { codes_[fd] = 2 * static_cast<std::uint64_t>(fd) + 1; }
    template <class Number>
    Number answered(EventBytes& event, Number result) const {
        return write(event.integer(result)), result;
    }
    int answered(EventBytes& event, int result, const Address& address) const {
        return write(event.integer(result).address(result < 0 ? Address() : address)), result;
    }
    void write(const EventBytes& event) const;

    std::unique_ptr<Backend> below_;
    Answers answers_;
    Recorder tape_;
    // has_completions() is const to those who ask and an event all the same.
    mutable RecordingWriter file_;
    mutable EventBytes event_;
    mutable Digest digest_;
    std::unordered_map<Op*, InFlight> in_flight_;
    std::unordered_map<int, std::uint64_t> codes_;  // of the descriptors that are the backend's
    std::uint64_t submitted_ = 0;
    std::uint64_t adopted_ = 0;
    TimePoint time_ = {};  // as now() said last
};

}  // namespace lariat::io
