// SPDX-License-Identifier: MIT
#include <lariat/io/record/record_backend.hpp>

#include <lariat/io/base/assert.hpp>
#include <lariat/io/record/recorded_op.hpp>
#include <lariat/io/record/recording.hpp>

#include <algorithm>

namespace lariat::io {
namespace {

// Whose dispatch() is going on. Nothing else calls handlers, so a handler finds its way back without a place in Op.
constinit thread_local RecordBackend* dispatching = nullptr;

std::string header_of(Backend& backend) {
    Simulation* const simulation = backend.simulation();
    return RecordingHeader{std::string(backend.name()), simulation != nullptr,
                           simulation && simulation->shares_process()}
        .encode();
}

}  // namespace

RecordBackend::RecordBackend(std::unique_ptr<Backend> below, const std::string& file, std::uint32_t number)
    : below_(std::move(below)), answers_(*this), tape_(*this, number), file_(file, header_of(*below_)) {
    digest_.add(header_of(*below_));
}

RecordBackend::~RecordBackend() {
    LARIAT_CHECK(in_flight_.empty(), "a backend was destroyed while operations are in flight");
    write(begin(EventKind::end).fixed(digest_.value()));
    file_.finish();
}

void RecordBackend::write(const EventBytes& event) const {
    digest_.add(event.all());
    file_.write(event.all());
}

// A descriptor's place in the recording: 0 for one of the program's own, odd for those with the number the backend
// gave, even for adopted ones, whose numbers are the program's and may be others on a replay.
std::uint64_t RecordBackend::code_of(int fd) const noexcept {
    const auto found = codes_.find(fd);
    return found == codes_.end() ? 0 : found->second;
}

// Operations

void RecordBackend::submit(Op& op) noexcept {
    LARIAT_CHECK(!op.in_flight(), "an operation was submitted twice");
    EventBytes& event = begin(EventKind::submit, op.fd);
    put_request(event, op);
    write(event);
    in_flight_[&op] = {++submitted_, std::exchange(handler_of(op), &on_completion)};
    below_->submit(op);
}

void RecordBackend::cancel(Op& op) noexcept {
    if (!op.in_flight() || op.cancel_requested()) return;
    write(begin(EventKind::cancel).number(submitted_ - in_flight_.at(&op).number));
    below_->cancel(op);
}

void RecordBackend::wait(TimePoint deadline) noexcept {
    // On a simulated network other programs run on this thread meanwhile, and may be recorded, too.
    RecordBackend* const outer = dispatching;
    below_->wait(deadline);
    dispatching = outer;
    statistics_ = below_->statistics();
}

std::size_t RecordBackend::dispatch(std::size_t budget) noexcept {
    write(begin(EventKind::dispatch).fixed(digest_.value()));
    RecordBackend* const outer = std::exchange(dispatching, this);
    const std::size_t done = below_->dispatch(budget);
    dispatching = outer;
    write(begin(EventKind::dispatched));
    statistics_ = below_->statistics();
    return done;
}

void RecordBackend::on_completion(Op& op, Completion& completion) noexcept { dispatching->completed(op, completion); }

void RecordBackend::completed(Op& op, Completion& completion) noexcept {
    const auto found = in_flight_.find(&op);
    const auto [number, handler] = found->second;
    EventBytes& event = begin(EventKind::completion).number(submitted_ - number);
    put_answer(event, op, completion);
    write(event);
    const int change = change_of_descriptors(op, completion.result);
    if (change > 0) opened(completion.result);
    if (change < 0) codes_.erase(op.fd);
    if (!completion.more) {
        in_flight_.erase(found);
        handler_of(op) = handler;
    }
    handler(op, completion);
}

bool RecordBackend::has_completions() const noexcept {
    if (!below_->has_completions()) return false;
    write(begin(EventKind::has_completions));
    return true;
}

Ledger RecordBackend::ledger() const noexcept {
    const Ledger ledger = below_->ledger();
    return {in_flight_.size(), ledger.descriptors, ledger.buffers};
}

// Calls that are answered at once

int RecordBackend::open_socket(int domain, int type) noexcept {
    const int result = below_->open_socket(domain, type);
    if (result >= 0) opened(result);
    return answered(begin(EventKind::open_socket).integer(domain).integer(type), result);
}

int RecordBackend::bind(int fd, const Address& address) noexcept {
    return answered(begin(EventKind::bind, fd).address(address), below_->bind(fd, address));
}

int RecordBackend::listen(int fd, int backlog) noexcept {
    return answered(begin(EventKind::listen, fd).integer(backlog), below_->listen(fd, backlog));
}

int RecordBackend::connect(int fd, const Address& to) noexcept {
    return answered(begin(EventKind::connect, fd).address(to), below_->connect(fd, to));
}

int RecordBackend::local_address(int fd, Address& address) noexcept {
    const int result = below_->local_address(fd, address);
    return answered(begin(EventKind::local_address, fd), result, address);
}

int RecordBackend::peer_address(int fd, Address& address) noexcept {
    const int result = below_->peer_address(fd, address);
    return answered(begin(EventKind::peer_address, fd), result, address);
}

int RecordBackend::set_option(int fd, int level, int name, const void* value, socklen_t size) noexcept {
    EventBytes& event = begin(EventKind::set_option, fd).integer(level).integer(name);
    return answered(event.bytes({static_cast<const std::byte*>(value), size}),
                    below_->set_option(fd, level, name, value, size));
}

int RecordBackend::get_option(int fd, int level, int name, void* value, socklen_t size) noexcept {
    const int result = below_->get_option(fd, level, name, value, size);
    EventBytes& event = begin(EventKind::get_option, fd).integer(level).integer(name).number(size).integer(result);
    write(event.bytes({static_cast<const std::byte*>(value), result < 0 ? 0 : size}));
    return result;
}

int RecordBackend::shutdown(int fd, int how) noexcept {
    return answered(begin(EventKind::shutdown, fd).integer(how), below_->shutdown(fd, how));
}

void RecordBackend::close(int fd) noexcept {
    write(begin(EventKind::close, fd));
    codes_.erase(fd);
    below_->close(fd);
}

int RecordBackend::adopt(int fd) noexcept {
    const int result = below_->adopt(fd);
    write(begin(EventKind::adopt, fd).integer(result));
    if (result >= 0) codes_[fd] = 2 * ++adopted_;
    return result;
}

std::ptrdiff_t RecordBackend::try_send(int fd, std::span<const iovec> parts) noexcept {
    const std::ptrdiff_t result = below_->try_send(fd, parts);
    return answered(begin(EventKind::try_send, fd).sent(parts), result);
}

std::ptrdiff_t RecordBackend::try_send_to(int fd, std::span<const iovec> parts, const Address& to) noexcept {
    const std::ptrdiff_t result = below_->try_send_to(fd, parts, to);
    return answered(begin(EventKind::try_send_to, fd).address(to).sent(parts), result);
}

int RecordBackend::try_accept(int fd) noexcept {
    const int result = below_->try_accept(fd);
    if (result >= 0) opened(result);
    return answered(begin(EventKind::try_accept, fd), result);
}

TimePoint RecordBackend::now() noexcept {
    const TimePoint time = below_->now();
    write(begin(EventKind::now).integer(time_delta(time_, time)));
    return time_ = time;
}

std::uint64_t RecordBackend::random() noexcept {
    const std::uint64_t drawn = below_->random();
    write(begin(EventKind::random).fixed(drawn));
    return drawn;
}

// What a simulation answers

const std::vector<Address>* RecordBackend::Answers::look_up(std::string_view name) const {
    const std::vector<Address>* const found = below().look_up(name);
    owner_.write(owner_.begin(EventKind::look_up).bytes(name).addresses(found));
    return found;
}

Duration RecordBackend::Answers::draw_delay() noexcept {
    const Duration delay = below().draw_delay();
    owner_.write(owner_.begin(EventKind::draw_delay).integer(delay.count()));
    return delay;
}

int RecordBackend::Answers::take_signal() noexcept {
    const int signal = below().take_signal();
    if (signal != 0) owner_.write(owner_.begin(EventKind::take_signal).integer(signal));
    return signal;
}

bool RecordBackend::Answers::shares_process() const noexcept { return below().shares_process(); }

// What comes beside the seam. Where the run that is recorded is itself a replay, it comes from there.

bool RecordBackend::Recorder::mail(std::vector<Sender>& senders) {
    if (Tape* tape = below(); tape && !tape->mail(senders)) return false;
    EventBytes& event = owner_.begin(EventKind::mail).number(senders.size());
    for (const Sender& sender : senders) event.sender(sender);
    owner_.write(event);
    return true;
}

int RecordBackend::Recorder::signal(int caught) noexcept {
    if (Tape* tape = below()) caught = tape->signal(caught);
    if (caught != 0) owner_.write(owner_.begin(EventKind::signal).integer(caught));
    return caught;
}

void RecordBackend::Recorder::deadline(TimePoint when) noexcept {
    if (Tape* tape = below()) tape->deadline(when);
    owner_.write(owner_.begin(EventKind::deadline).number(deadline_code(owner_.time_, when)));
}

void RecordBackend::Recorder::answer(std::uint64_t id, NameAnswer& answer) {
    if (Tape* tape = below()) tape->answer(id, answer);
    EventBytes& event = owner_.begin(EventKind::answer).number(id).addresses(&answer.addresses);
    owner_.write(event.number(answer.failure ? 1 : 0).bytes(answer.failure.value_or("")));
}

bool RecordBackend::Recorder::withdraw(std::uint64_t work, bool not_begun) noexcept {
    if (Tape* tape = below()) not_begun = tape->withdraw(work, not_begun);
    owner_.write(owner_.begin(EventKind::withdraw).number(work).number(not_begun ? 1 : 0));
    return not_begun;
}

bool RecordBackend::Recorder::is_withdrawn(std::uint64_t work) const noexcept {
    return below() && below()->is_withdrawn(work);
}

bool RecordBackend::Recorder::has_answer(std::uint64_t id) const noexcept { return below() && below()->has_answer(id); }

bool RecordBackend::Recorder::sleep(Duration limit) noexcept { return below() && below()->sleep(limit); }

void RecordBackend::Recorder::diverged(const std::string& what) noexcept {
    if (Tape* tape = below()) tape->diverged(what);
    LARIAT_PANIC("a recording that replays nothing cannot diverge");
}

}  // namespace lariat::io
