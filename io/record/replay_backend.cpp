// SPDX-License-Identifier: MIT
#include <lariat/io/record/replay_backend.hpp>

#include <lariat/io/base/assert.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/io/record/recorded_op.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <time.h>
#include <unistd.h>
#include <utility>

namespace lariat::io {
namespace {

// How long a loop rests that only waits for other threads to end.
constexpr Duration rest = std::chrono::milliseconds(1);

[[noreturn]] void end_process(const std::string& line) noexcept {
    std::fprintf(stderr, "lariat: replay: %s\n", line.c_str());
    std::fflush(stderr);
    std::abort();
}

}  // namespace

ReplayBackend::ReplayBackend(const std::string& file, const BackendOptions& options, std::uint32_t number)
    : recording_(file),
      answers_(*this),
      tape_(*this, number),
      pool_(&BufferPool::create(options.receive_buffer_size(), options.receive_buffers())) {
    ::sem_init(&woken_, 0, 0);
    if (recording_.threads() > 1) {
        log(LogLevel::warn, "replay",
            file + " has calls from " + std::to_string(recording_.threads())
                + " threads of the program's own: they are told apart by the order in which they first call, which may"
                  " be another one now");
    }
}

ReplayBackend::~ReplayBackend() {
    LARIAT_CHECK(in_flight_.empty(), "a backend was destroyed while operations are in flight");
    // An exception that passes says more than this.
    if (std::uncaught_exceptions() == 0) answer_to(begin(EventKind::end));
    ::sem_destroy(&woken_);
}

// Comparing

// The code of `fd` is that of the recording where that can be meant: descriptors of the program's own, and adopted
// ones, may have other numbers now.
EventBytes& ReplayBackend::begin(EventKind kind, int fd) const {
    auto code = 2 * static_cast<std::uint64_t>(fd) + 1;
    if (recording_.next() == kind) {
        const std::uint64_t recorded = recording_.peek().number();
        const bool adopted = recorded != 0 && recorded % 2 == 0 && recorded / 2 <= adopted_.size();
        if (recorded == 0 || (adopted && adopted_[recorded / 2 - 1] == fd)) code = recorded;
    }
    return asked_.begin(kind).number(code);
}

EventReader ReplayBackend::answer_to(const EventBytes& asked) const {
    const Bytes wanted = asked.all();
    const Bytes recorded = recording_.rest();
    if (recorded.first(wanted.size()) != wanted) {
        EventReader fields(wanted.skip(1));
        const std::string text = fields.describe(asked.kind(), false);
        diverged(asked.kind() == EventKind::end ? "has come to its end" : "asks for " + text);
    }
    recording_.advance();
    return EventReader(recorded.skip(wanted.size()));
}

int ReplayBackend::address_answer(const EventBytes& asked, Address& address) const {
    EventReader answer = answer_to(asked);
    const auto result = static_cast<int>(answer.integer());
    const Address recorded = answer.address();
    if (result >= 0) address = recorded;
    return result;
}

std::string ReplayBackend::recorded_text() const { return recording_.peek().describe(recording_.next(), true); }

void ReplayBackend::diverged(const std::string& what) const {
    if (recording_.next() == EventKind::none) end_of_recording(what);
    end_process(recording_.path() + ", event " + std::to_string(recording_.number()) + " of "
                + std::to_string(recording_.size()) + ": the program " + what + ", the recording has " + recorded_text()
                + ". Usual causes: another version of the program, other arguments or another environment, or"
                  " something that no Backend sees, such as a clock, a file, an address or a thread of its own.");
}

void ReplayBackend::end_of_recording(const std::string& what) const {
    std::string why = "the program was killed, died or left by exit() here when it was recorded";
    if (recording_.cut()) why = "the file was cut short inside the next event";
    end_process(recording_.path() + " ends behind event " + std::to_string(recording_.size()) + ": " + why
                + "; now the program " + what + ".");
}

// Operations

void ReplayBackend::submit(Op& op) noexcept {
    LARIAT_CHECK(!op.in_flight(), "an operation was submitted twice");
    EventBytes& asked = begin(EventKind::submit, op.fd);
    put_request(asked, op);
    answer_to(asked);
    set_state(op, OpState::in_kernel);
    in_flight_[++submitted_] = &op;
    slot_of(op) = reinterpret_cast<void*>(submitted_);
    ++statistics_.submissions;
}

void ReplayBackend::cancel(Op& op) noexcept {
    if (!op.in_flight() || op.cancel_requested()) return;
    answer_to(begin(EventKind::cancel).number(submitted_ - reinterpret_cast<std::uint64_t>(slot_of(op))));
    set_state(op, OpState::cancelling);
}

void ReplayBackend::wait(TimePoint) noexcept {
    ++statistics_.waits;
    if (std::exchange(waited_, true)) tape_.sleep(rest);
}

std::size_t ReplayBackend::dispatch(std::size_t) noexcept {
    waited_ = false;
    // The checksum is the recording's own business.
    if (recording_.next() == EventKind::dispatch) {
        recording_.advance();
    } else {
        diverged("asks for dispatch");
    }
    std::size_t done = 0;
    for (; recording_.next() == EventKind::completion; ++done) {
        EventReader event = recording_.peek();
        const std::uint64_t number = submitted_ - event.number();
        const std::uint64_t verb = event.number();
        const auto found = in_flight_.find(number);
        if (found == in_flight_.end() || verb != static_cast<std::uint64_t>(found->second->verb()))
            diverged("has no such operation in flight");
        Op& op = *found->second;
        Completion completion = take_answer(event, op, *pool_);
        recording_.advance();
        descriptors_ += static_cast<std::size_t>(change_of_descriptors(op, completion.result));
        if (!completion.more) in_flight_.erase(found);
        complete(op, completion);
    }
    answer_to(begin(EventKind::dispatched));
    return done;
}

bool ReplayBackend::has_completions() const noexcept {
    if (recording_.next() != EventKind::has_completions) return false;
    recording_.advance();
    return true;
}

// Calls that are answered at once

int ReplayBackend::open_socket(int domain, int type) noexcept {
    const int result = integer_answer(begin(EventKind::open_socket).integer(domain).integer(type));
    if (result >= 0) ++descriptors_;
    return result;
}

int ReplayBackend::bind(int fd, const Address& address) noexcept {
    return integer_answer(begin(EventKind::bind, fd).address(address));
}

int ReplayBackend::listen(int fd, int backlog) noexcept {
    return integer_answer(begin(EventKind::listen, fd).integer(backlog));
}

int ReplayBackend::connect(int fd, const Address& to) noexcept {
    return integer_answer(begin(EventKind::connect, fd).address(to));
}

int ReplayBackend::local_address(int fd, Address& address) noexcept {
    return address_answer(begin(EventKind::local_address, fd), address);
}

int ReplayBackend::peer_address(int fd, Address& address) noexcept {
    return address_answer(begin(EventKind::peer_address, fd), address);
}

int ReplayBackend::set_option(int fd, int level, int name, const void* value, socklen_t size) noexcept {
    EventBytes& asked = begin(EventKind::set_option, fd).integer(level).integer(name);
    return integer_answer(asked.bytes({static_cast<const std::byte*>(value), size}));
}

int ReplayBackend::get_option(int fd, int level, int name, void* value, socklen_t size) noexcept {
    EventReader answer = answer_to(begin(EventKind::get_option, fd).integer(level).integer(name).number(size));
    const auto result = static_cast<int>(answer.integer());
    const Bytes bytes = answer.bytes().first(size);
    if (!bytes.empty()) std::memcpy(value, bytes.data(), bytes.size());
    return result;
}

int ReplayBackend::shutdown(int fd, int how) noexcept {
    return integer_answer(begin(EventKind::shutdown, fd).integer(how));
}

void ReplayBackend::close(int fd) noexcept {
    EventBytes& asked = begin(EventKind::close, fd);
    const std::uint64_t code = EventReader(asked.all().skip(1)).number();
    answer_to(asked);
    --descriptors_;
    // An adopted one is a descriptor of this process, and nobody else would close it.
    if (code % 2 == 0 && !recording_.header().simulated) ::close(fd);
}

int ReplayBackend::adopt(int fd) noexcept {
    const int result = integer_answer(begin(EventKind::adopt, fd));
    if (result >= 0) {
        adopted_.push_back(fd);
        ++descriptors_;
    }
    return result;
}

std::ptrdiff_t ReplayBackend::try_send(int fd, std::span<const iovec> parts) noexcept {
    return send_answer(begin(EventKind::try_send, fd).sent(parts));
}

std::ptrdiff_t ReplayBackend::try_send_to(int fd, std::span<const iovec> parts, const Address& to) noexcept {
    return send_answer(begin(EventKind::try_send_to, fd).address(to).sent(parts));
}

std::ptrdiff_t ReplayBackend::send_answer(const EventBytes& asked) noexcept {
    ++statistics_.sends;
    const auto result = static_cast<std::ptrdiff_t>(answer_to(asked).integer());
    if (result == -EAGAIN) ++statistics_.sends_refused;
    return result;
}

int ReplayBackend::try_accept(int fd) noexcept {
    const int result = integer_answer(begin(EventKind::try_accept, fd));
    if (result >= 0) ++descriptors_;
    return result;
}

TimePoint ReplayBackend::now() noexcept {
    return time_ = time_after(time_, answer_to(begin(EventKind::now)).integer());
}

std::uint64_t ReplayBackend::random() noexcept { return answer_to(begin(EventKind::random)).fixed(); }

// What a simulation answered

const std::vector<Address>* ReplayBackend::Answers::look_up(std::string_view name) const {
    EventReader answer = owner_.answer_to(owner_.begin(EventKind::look_up).bytes(name));
    return answer.addresses(found_) ? &found_ : nullptr;
}

Duration ReplayBackend::Answers::draw_delay() noexcept {
    return Duration(owner_.answer_to(owner_.begin(EventKind::draw_delay)).integer());
}

int ReplayBackend::Answers::take_signal() noexcept {
    if (owner_.recording_.next() != EventKind::take_signal) return 0;
    return owner_.integer_answer(owner_.begin(EventKind::take_signal));
}

bool ReplayBackend::Answers::shares_process() const noexcept { return owner_.recording_.header().shares_process; }

// What came beside the seam

bool ReplayBackend::Player::mail(std::vector<Sender>& senders) {
    if (owner_.recording_.next() != EventKind::mail) return false;
    EventReader event = owner_.recording_.peek();
    senders.clear();
    for (std::uint64_t left = event.number(); left > 0; --left) senders.push_back(event.sender());
    owner_.recording_.advance();
    return true;
}

int ReplayBackend::Player::signal(int) noexcept {
    if (owner_.recording_.next() != EventKind::signal) return 0;
    return owner_.integer_answer(owner_.begin(EventKind::signal));
}

void ReplayBackend::Player::deadline(TimePoint when) noexcept {
    owner_.answer_to(owner_.begin(EventKind::deadline).number(deadline_code(owner_.time_, when)));
}

void ReplayBackend::Player::answer(std::uint64_t id, NameAnswer& answer) {
    EventReader event = owner_.answer_to(owner_.begin(EventKind::answer).number(id));
    event.addresses(answer.addresses);
    const bool failed = event.number() != 0;
    const Bytes why = event.bytes();
    answer.failure.reset();
    if (failed) answer.failure = why.str();
}

bool ReplayBackend::Player::withdraw(std::uint64_t work, bool) noexcept {
    return owner_.answer_to(owner_.begin(EventKind::withdraw).number(work)).number() != 0;
}

bool ReplayBackend::Player::is_withdrawn(std::uint64_t work) const noexcept {
    return owner_.recording_.is_withdrawn(work);
}

bool ReplayBackend::Player::has_answer(std::uint64_t id) const noexcept { return owner_.recording_.has_answer(id); }

bool ReplayBackend::Player::sleep(Duration limit) noexcept {
    timespec until;
    ::clock_gettime(CLOCK_MONOTONIC, &until);
    const auto end = std::chrono::seconds(until.tv_sec) + std::chrono::nanoseconds(until.tv_nsec) + limit;
    until.tv_sec = static_cast<time_t>(end / std::chrono::seconds(1));
    until.tv_nsec = static_cast<long>((end % std::chrono::seconds(1)).count());
    while (::sem_clockwait(&owner_.woken_, CLOCK_MONOTONIC, &until) != 0) {
        if (errno != EINTR) return false;
    }
    return true;
}

void ReplayBackend::Player::diverged(const std::string& what) noexcept { owner_.diverged(what); }

}  // namespace lariat::io
