// SPDX-License-Identifier: MIT
#include <lariat/io/fault/fault_backend.hpp>

#include <lariat/io/base/assert.hpp>

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <unordered_set>
#include <utility>
#include <variant>

namespace lariat::io {
namespace {

// Completions taken from the backend below in one turn.
constexpr std::size_t completions_per_turn = 512;

// A cancellation that is to lose waits this many times longer than others, for a result to come first.
constexpr std::uint64_t patience_to_lose = 10;

// More parts than a Connection gathers; a send of more takes only these.
constexpr std::size_t most_parts = 64;

int error_of(Fault fault) noexcept {
    switch (fault) {
    case Fault::no_descriptors: return EMFILE;
    case Fault::no_buffers: return ENOBUFS;
    default: return ENOMEM;
    }
}

std::size_t total_of(std::span<const iovec> parts) noexcept {
    std::size_t total = 0;
    for (const iovec& part : parts) total += part.iov_len;
    return total;
}

/// Bytes [`skip`, `skip` + `size`) of `parts`, as far as `into` has room; returns how many parts that are.
std::size_t cut(std::span<const iovec> parts, std::size_t skip, std::size_t size, std::span<iovec> into) noexcept {
    std::size_t count = 0;
    for (const iovec& part : parts) {
        const std::size_t skipped = std::min(skip, part.iov_len);
        const std::size_t taken = std::min(size, part.iov_len - skipped);
        skip -= skipped;
        size -= taken;
        if (taken == 0) continue;
        if (count == into.size()) break;
        into[count++] = {static_cast<char*>(part.iov_base) + skipped, taken};
    }
    return count;
}

}  // namespace

/// One operation of the user's while it is in flight, and the one below that does its work.
struct FaultBackend::Request {
    explicit Request(FaultBackend& backend_) noexcept : backend(backend_) {}

    FaultBackend& backend;
    Op* user = nullptr;
    std::variant<std::monostate, AcceptOp, ConnectOp, ReceiveOp, SendOp, PollOp, FileOp, ReceiveFromOp> storage;
    Op* below = nullptr;  // in `storage`
    std::uint64_t serial = 0;
    std::uint32_t posted = 0;     // completions on their way to the user or there
    std::uint32_t delivered = 0;  // of them, those that are there
    std::uint64_t submit_at = 0;  // the turn; 0 when it is below already
    std::uint64_t cancel_at = 0;  // the turn; 0 when no cancellation waits
    std::size_t progress = 0;     // of a send, in bytes
    std::size_t round = 0;        // the bytes the backend below was given
    Fault ends_with = Fault::no_memory;
    bool restarts = false;  // cancelled on our own account, to be submitted anew
    bool ends = false;      // cancelled on our own account, to end with the error of `ends_with`
    bool loses = false;     // the cancellation that waits is to come too late
    bool over = false;      // the last completion was posted
};

FaultBackend::FaultBackend(std::unique_ptr<Backend> below, const FaultPlan& plan)
    : below_(std::move(below)), plan_(plan), random_(plan.seed()), answers_(*this) {}

FaultBackend::~FaultBackend() {
    LARIAT_CHECK(operations_ == 0, "a backend was destroyed while operations are in flight");
}

Ledger FaultBackend::ledger() const noexcept {
    const Ledger ledger = below_->ledger();
    return {operations_, ledger.descriptors, ledger.buffers};
}

// Drawing

bool FaultBackend::draw(Fault fault) noexcept {
    if (!chance(fault)) return false;
    counts_.add(fault);
    return true;
}

bool FaultBackend::draw_shortage(Fault& fault, bool descriptors) noexcept {
    if (descriptors && chance(Fault::no_descriptors)) return fault = Fault::no_descriptors, true;
    if (chance(Fault::no_memory)) return fault = Fault::no_memory, true;
    if (chance(Fault::no_buffers)) return fault = Fault::no_buffers, true;
    return false;
}

std::uint64_t FaultBackend::some_turns() noexcept { return random_.between(1, std::max(1u, plan_.turns())); }

// Half of the time a single byte, where most programs go wrong.
std::size_t FaultBackend::part_of(std::size_t size) noexcept {
    return random_.chance(500) ? 1 : random_.between(1, size - 1);
}

bool FaultBackend::storm() noexcept {
    if (storm_left_ == 0) {
        if (!chance(Fault::again_storm)) return false;
        storm_left_ = static_cast<unsigned>(random_.between(1, std::max(1u, plan_.storm())));
    }
    --storm_left_;
    counts_.add(Fault::again_storm);
    return true;
}

// Calls that are answered at once

int FaultBackend::open_socket(int domain, int type) noexcept {
    if (Fault fault; draw_shortage(fault, true)) return counts_.add(fault), -error_of(fault);
    return below_->open_socket(domain, type);
}

int FaultBackend::try_accept(int fd) noexcept {
    if (storm()) return -EAGAIN;
    if (Fault fault; draw_shortage(fault, true)) return counts_.add(fault), -error_of(fault);
    if (draw(Fault::aborted_accept)) return -ECONNABORTED;
    return below_->try_accept(fd);
}

std::ptrdiff_t FaultBackend::try_send(int fd, std::span<const iovec> parts) noexcept {
    ++statistics_.sends;
    if (cut_.erase(fd) > 0) return below_->try_send(fd, parts);
    if (draw(Fault::failed_transfer)) return -ENOMEM;
    std::ptrdiff_t taken = -EAGAIN;
    // Below the seam, ENOBUFS of a send is a full socket.
    if (!storm() && !draw(Fault::no_buffers)) {
        const std::size_t size = total_of(parts);
        if (size > 1 && draw(Fault::short_write)) {
            iovec some[most_parts];
            taken = below_->try_send(fd, {some, cut(parts, 0, part_of(size), some)});
        } else {
            taken = below_->try_send(fd, parts);
        }
    }
    if (taken == -EAGAIN) ++statistics_.sends_refused;
    return taken;
}

std::ptrdiff_t FaultBackend::try_send_to(int fd, std::span<const iovec> parts, const Address& to) noexcept {
    ++statistics_.sends;
    if (draw(Fault::failed_transfer)) return -ENOMEM;
    if (draw(Fault::no_buffers)) return -ENOBUFS;
    const std::ptrdiff_t taken = storm() ? -EAGAIN : below_->try_send_to(fd, parts, to);
    if (taken == -EAGAIN) ++statistics_.sends_refused;
    return taken;
}

const std::vector<Address>* FaultBackend::Answers::look_up(std::string_view name) const {
    return owner_.below_->simulation()->look_up(name);
}

Duration FaultBackend::Answers::draw_delay() noexcept {
    const Duration delay = owner_.below_->simulation()->draw_delay();
    if (!owner_.draw(Fault::slow_answer)) return delay;
    return delay + Duration(owner_.random_.below(static_cast<std::uint64_t>(owner_.plan_.slowness().count()) + 1));
}

int FaultBackend::Answers::take_signal() noexcept { return owner_.below_->simulation()->take_signal(); }

bool FaultBackend::Answers::shares_process() const noexcept { return owner_.below_->simulation()->shares_process(); }

// Submission

FaultBackend::Request& FaultBackend::make_request(Op& op) {
    if (free_.empty()) free_.push_back(requests_.emplace_back(std::make_unique<Request>(*this)).get());
    Request& request = *free_.back();
    free_.pop_back();
    request.user = &op;
    request.serial = ++serials_;
    request.posted = request.delivered = 0;
    request.submit_at = request.cancel_at = 0;
    request.progress = request.round = 0;
    request.restarts = request.ends = request.loses = request.over = false;
    switch (op.verb()) {
    case Verb::accept: request.below = &request.storage.emplace<AcceptOp>(on_completion, &request); break;
    case Verb::connect: {
        auto& connect = request.storage.emplace<ConnectOp>(on_completion, &request);
        connect.address = static_cast<ConnectOp&>(op).address;
        request.below = &connect;
        break;
    }
    case Verb::receive: request.below = &request.storage.emplace<ReceiveOp>(on_completion, &request); break;
    case Verb::receive_from: request.below = &request.storage.emplace<ReceiveFromOp>(on_completion, &request); break;
    case Verb::send: request.below = &request.storage.emplace<SendOp>(on_completion, &request); break;
    case Verb::poll: {
        auto& poll = request.storage.emplace<PollOp>(on_completion, &request);
        poll.events = static_cast<PollOp&>(op).events;
        request.below = &poll;
        break;
    }
    case Verb::file: {
        auto& file = request.storage.emplace<FileOp>(on_completion, &request);
        static_cast<FileRequest&>(file) = static_cast<FileOp&>(op);
        const bool reads = file.action == FileOp::Action::read, writes = file.action == FileOp::Action::write;
        if ((reads || writes) && file.bytes.iov_len > 1 && draw(reads ? Fault::short_read : Fault::short_write)) {
            file.bytes.iov_len = part_of(file.bytes.iov_len);
        }
        request.below = &file;
        break;
    }
    }
    request.below->fd = op.fd;
    return request;
}

void FaultBackend::release(Request& request) noexcept {
    request.storage.emplace<std::monostate>();
    request.user = request.below = nullptr;
    free_.push_back(&request);
}

// The result of an operation that does not reach the backend below; 0 when it does.
std::int32_t FaultBackend::refuse(const Op& op) noexcept {
    Fault fault;
    switch (op.verb()) {
    case Verb::accept:
    case Verb::connect:
        if (draw_shortage(fault, op.verb() == Verb::accept)) return counts_.add(fault), -error_of(fault);
        break;
    case Verb::send:
        if (draw(Fault::failed_transfer)) return -ENOMEM;
        break;
    case Verb::poll:
        if (const std::uint32_t events = static_cast<const PollOp&>(op).events & (POLLIN | POLLOUT);
            events != 0 && draw(Fault::false_readiness)) {
            return static_cast<std::int32_t>(events);
        }
        break;
    case Verb::file: return refuse_file(static_cast<const FileOp&>(op));
    case Verb::receive:
    case Verb::receive_from: break;
    }
    return 0;
}

std::int32_t FaultBackend::refuse_file(const FileOp& op) noexcept {
    switch (op.action) {
    case FileOp::Action::open:
        if (draw(Fault::no_descriptors)) return -EMFILE;
        return draw(Fault::no_memory) ? -ENOMEM : 0;
    case FileOp::Action::read:
    case FileOp::Action::write: return draw(Fault::failed_transfer) ? -ENOMEM : 0;
    case FileOp::Action::sync:
    case FileOp::Action::sync_data: return draw(Fault::failed_sync) ? -EIO : 0;
    case FileOp::Action::measure:
    case FileOp::Action::close: break;
    }
    return 0;
}

void FaultBackend::submit(Op& op) noexcept {
    LARIAT_CHECK(!op.in_flight(), "an operation was submitted twice");
    Request& request = make_request(op);
    set_state(op, OpState::in_kernel);
    slot_of(op) = &request;
    ++operations_;
    ++statistics_.submissions;
    if (op.verb() == Verb::send && cut_.erase(op.fd) > 0) {
        start(request);
    } else if (const std::int32_t result = refuse(op)) {
        post(request, {result, false, {}});
    } else if (draw(Fault::late_submission)) {
        ++late_submissions_;
        request.submit_at = turn_ + some_turns();
        late_.push_back(&request);
    } else {
        start(request);
    }
}

void FaultBackend::start(Request& request) noexcept {
    request.submit_at = 0;
    if (request.user->verb() == Verb::send) {
        start_send(request);
    } else {
        below_->submit(*request.below);
    }
}

void FaultBackend::start_send(Request& request) noexcept {
    const auto& user = static_cast<const SendOp&>(*request.user);
    auto& send = static_cast<SendOp&>(*request.below);
    const std::span<const iovec> parts(user.parts, user.part_count);
    request.round = total_of(parts) - request.progress;
    if (request.round > 1 && draw(Fault::short_write)) request.round = part_of(request.round);
    send.part_count = static_cast<std::uint32_t>(cut(parts, request.progress, request.round, send.parts));
    below_->submit(send);
}

void FaultBackend::cancel(Op& op) noexcept {
    if (!op.in_flight() || op.cancel_requested()) return;
    set_state(op, OpState::cancelling);
    auto& request = *static_cast<Request*>(slot_of(op));
    if (request.over) return;  // what it achieved came first
    if (request.submit_at != 0) {
        post(request, {-ECANCELED, false, {}});
    } else if (op.verb() == Verb::poll) {
        below_->cancel(*request.below);
    } else if (chance(Fault::lost_cancel)) {
        request.loses = true;
        request.cancel_at = turn_ + patience_to_lose * some_turns();
        late_.push_back(&request);
    } else if (draw(Fault::late_cancel)) {
        request.cancel_at = turn_ + some_turns();
        late_.push_back(&request);
    } else {
        below_->cancel(*request.below);
    }
}

// Completions from below

void FaultBackend::on_completion(Op& op, Completion& completion) noexcept {
    auto& request = *static_cast<Request*>(op.owner);
    request.backend.completed(request, completion);
}

void FaultBackend::completed(Request& request, Completion& completion) noexcept {
    if (request.loses && completion.result >= 0) {
        request.loses = false;
        counts_.add(Fault::lost_cancel);
        if (completion.more) request.cancel_at = turn_ + 1;
    }
    switch (request.user->verb()) {
    case Verb::accept: {
        if (interrupted(request, completion)) return;
        const bool more = completion.more;
        if (completion.result >= 0 && draw(Fault::aborted_accept)) post(request, {-ECONNABORTED, true, {}});
        post(request, std::move(completion));
        if (more) interrupt(request);
        return;
    }
    case Verb::receive:
    case Verb::receive_from: {
        if (interrupted(request, completion)) return;
        const bool more = completion.more;
        post_received(request, completion);
        if (more) interrupt(request);
        return;
    }
    case Verb::send: sent(request, completion); return;
    case Verb::file:
        static_cast<FileOp&>(*request.user).size = static_cast<FileOp&>(*request.below).size;
        post(request, std::move(completion));
        return;
    case Verb::connect:
    case Verb::poll: post(request, std::move(completion)); return;
    }
}

// Ends a multishot operation below, to arm it again or to report an error in its place.
void FaultBackend::interrupt(Request& request) noexcept {
    if (request.user->cancel_requested() || request.restarts || request.ends) return;
    if (request.user->verb() == Verb::accept) {
        request.ends = draw_shortage(request.ends_with, true);
    } else if (chance(Fault::failed_transfer)) {
        request.ends_with = Fault::failed_transfer;
        request.ends = true;
    }
    request.restarts = !request.ends && chance(Fault::multishot_end);
    if (request.ends || request.restarts) below_->cancel(*request.below);
}

// True when `completion` is the end that interrupt() asked for and has been dealt with. What arrived before is
// delivered; so is what ends a stream, since it is said only once. An accept that failed will say so again.
bool FaultBackend::interrupted(Request& request, Completion& completion) noexcept {
    if (completion.more || !(request.restarts || request.ends) || request.user->cancel_requested()) return false;
    const Verb verb = request.user->verb();
    const std::int32_t result = completion.result;
    const bool passes = verb == Verb::receive_from && ReceiveFromOp::error_passes(-result);
    if (verb == Verb::receive ? result > 0 : result >= 0 || passes) {
        completion.more = true;
        post_received(request, completion);
    } else if (verb != Verb::accept && result != -ECANCELED) {
        return false;
    }
    if (request.restarts) {
        request.restarts = false;
        counts_.add(Fault::multishot_end);
        below_->submit(*request.below);
    } else {
        counts_.add(request.ends_with);
        post(request, {-error_of(request.ends_with), false, {}});
    }
    return true;
}

// A send that is cut short although nothing was wrong is what an error leaves behind that came after some bytes. Where
// one did come, the kernel says so with the next send, which is therefore left alone: a storm of EAGAIN would let the
// receiver see an end of the stream where the connection was reset.
void FaultBackend::sent(Request& request, Completion& completion) noexcept {
    const auto& user = static_cast<const SendOp&>(*request.user);
    const bool whole_round = completion.result == static_cast<std::int32_t>(request.round);
    if (completion.result > 0) request.progress += static_cast<std::size_t>(completion.result);
    const bool rest = request.progress < total_of({user.parts, user.part_count});
    if (whole_round && rest && !request.user->cancel_requested() && random_.chance(500)) {
        start_send(request);
        return;
    }
    if (request.progress > 0) {
        if (!whole_round) cut_.insert(request.user->fd);
        completion.result = static_cast<std::int32_t>(request.progress);
    }
    post(request, std::move(completion));
}

void FaultBackend::post_received(Request& request, Completion& completion) noexcept {
    std::uint64_t due = 0;
    while (request.user->verb() == Verb::receive && completion.buffer.size() > 1 && draw(Fault::short_read)) {
        const std::size_t size = part_of(completion.buffer.size());
        post(request, {static_cast<std::int32_t>(size), true, completion.buffer.slice(0, size)}, due);
        completion.buffer.remove_prefix(size);
        completion.result -= static_cast<std::int32_t>(size);
        if (random_.chance(500)) due = std::max(due, turn_) + 1;
    }
    post(request, std::move(completion), due);
}

void FaultBackend::post(Request& request, Completion completion, std::uint64_t not_before) noexcept {
    std::uint64_t due = std::max(turn_, not_before);
    if (draw(Fault::late_completion)) due += some_turns();
    if (!completion.more) {
        request.over = true;
        request.submit_at = request.cancel_at = 0;
        std::erase(late_, &request);
    }
    const int fd = request.user->fd;
    const std::uint32_t number = request.posted++;
    const std::int32_t result = completion.result;
    Event& event =
        held_.emplace_back(Event{&request, request.serial, number, fd, false, due, std::move(completion), {}});
    if (request.user->verb() == Verb::receive_from && result >= 0) {
        const auto& below = static_cast<const ReceiveFromOp&>(*request.below);
        event.from = below.from;
        event.truncated = below.truncated;
    }
    if (chance(Fault::repeated_completion)) {
        held_.push_back({&request, request.serial, number, fd, true, due + random_.below(2), {result, true, {}}, {}});
    }
}

// Turns

void FaultBackend::wait(TimePoint deadline) noexcept {
    ++turn_;
    run_late();
    if (!ready_.empty() || !held_.empty() || !late_.empty()) {
        deadline = TimePoint::min();
    } else if (deadline != TimePoint::min() && draw(Fault::early_wake)) {
        deadline = TimePoint::min();
    }
    below_->wait(deadline);
    below_->dispatch(completions_per_turn);
    release_events();

    const Statistics& below = below_->statistics();
    statistics_.waits = below.waits;
    statistics_.pool_exhausted = below.pool_exhausted;
    statistics_.queue_full = below.queue_full + late_submissions_;
    statistics_.overflows = below.overflows;
    statistics_.rearms = below.rearms;
}

void FaultBackend::run_late() noexcept {
    const std::vector<Request*> late = std::exchange(late_, {});
    for (Request* request : late) {
        if (request->submit_at > turn_ || request->cancel_at > turn_) {
            late_.push_back(request);
        } else if (request->submit_at != 0) {
            start(*request);
        } else {
            request->cancel_at = 0;
            request->loses = false;
            below_->cancel(*request->below);
        }
    }
}

// What is due becomes ready, unless something of the same descriptor that came before is not.
void FaultBackend::release_events() noexcept {
    if (held_.empty()) return;
    std::unordered_set<int> blocked;
    std::deque<Event> held = std::exchange(held_, {});
    for (Event& event : held) {
        if (event.due > turn_ || blocked.contains(event.fd)) {
            if (!event.copy) blocked.insert(event.fd);
            held_.push_back(std::move(event));
        } else {
            place(std::move(event));
        }
    }
}

void FaultBackend::place(Event event) noexcept {
    std::size_t first = ready_.size();  // the first place behind everything of the same descriptor
    if (first > 0 && chance(Fault::reordered_completion)) {
        while (first > 0 && ready_[first - 1].fd != event.fd) --first;
    }
    if (first == ready_.size()) {
        ready_.push_back(std::move(event));
        return;
    }
    counts_.add(Fault::reordered_completion);
    const std::size_t place = random_.between(first, ready_.size() - 1);
    ready_.insert(ready_.begin() + static_cast<std::ptrdiff_t>(place), std::move(event));
}

std::size_t FaultBackend::dispatch(std::size_t budget) noexcept {
    std::size_t done = 0;
    while (done < budget && !ready_.empty()) {
        Event event = std::move(ready_.front());
        ready_.pop_front();
        Request& request = *event.request;
        if (request.serial != event.serial || request.delivered > event.number) {
            counts_.add(Fault::repeated_completion);
            continue;
        }
        LARIAT_CHECK(request.delivered == event.number, "the completions of an operation lost their order");
        ++request.delivered;
        Op& op = *request.user;
        if (op.verb() == Verb::receive_from) {
            auto& receive = static_cast<ReceiveFromOp&>(op);
            receive.from = event.from;
            receive.truncated = event.truncated;
        }
        if (!event.completion.more) {
            release(request);
            --operations_;
        }
        complete(op, event.completion);
        ++done;
    }
    return done;
}

}  // namespace lariat::io
