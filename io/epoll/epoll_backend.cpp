// SPDX-License-Identifier: MIT
// Submission, cancellation, registrations and waiting; epoll_dispatch.cpp makes the transfers.
#include <lariat/io/epoll/epoll_backend.hpp>

#include <lariat/io/base/assert.hpp>
#include <lariat/io/base/error.hpp>

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <sys/socket.h>

namespace lariat::io {
namespace {

constexpr std::uint64_t wake_token = ~std::uint64_t{0};  // no descriptor: their numbers have 31 bits

// What poll(2) says of everything that cannot be waited for, regular files first: DEFAULT_POLLMASK of linux/poll.h.
constexpr std::uint32_t always_true = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;

constexpr std::uint32_t reader_events = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
constexpr std::uint32_t writer_events = EPOLLOUT | EPOLLHUP | EPOLLERR;

std::uint64_t token(int fd, std::uint32_t generation) noexcept {
    return std::uint64_t{generation} << 32 | static_cast<std::uint32_t>(fd);
}

UniqueFd make_epoll(int wake_fd) noexcept {
    UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll) return epoll;
    // Edge triggered: each wake() is reported once, and the counter never needs to be read.
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.u64 = wake_token;
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake_fd, &event) != 0) epoll.reset();
    return epoll;
}

}  // namespace

EpollBackend::EpollBackend(const BackendOptions& options)
    : KernelBackend(options),
      epoll_(make_epoll(wake_fd())),
      events_(std::clamp(options.completion_entries(), 1u, 32u)) {
    if (!epoll_) {
        const int error = errno;
        throw Error(describe_errno("epoll_create1", error), error);
    }
}

EpollBackend::~EpollBackend() {
    LARIAT_CHECK(operations_ == 0, "a backend was destroyed while operations are in flight");
}

void EpollBackend::submit(Op& op) noexcept {
    LARIAT_CHECK(!op.in_flight(), "an operation was submitted twice");
    set_state(op, OpState::queued);
    slot_of(op) = nullptr;
    next_of(op) = nullptr;
    ++operations_;
    if (op.verb() == Verb::file) return start_file(static_cast<FileOp&>(op));
    if (op.fd < 0) return finish(op, -EBADF);
    DescriptorEntry& entry = table_.at(op.fd);
    // What was reported before is not about this operation; the kernel repeats what is still true.
    switch (op.verb()) {
    case Verb::receive:
    case Verb::receive_from:
    case Verb::accept:
        LARIAT_CHECK(!entry.reader, "only one receive or accept at a time can be in flight on a descriptor");
        entry.reader = &op;
        entry.pending &= static_cast<std::uint8_t>(~DescriptorEntry::reading);
        break;
    case Verb::connect:
    case Verb::send:
        LARIAT_CHECK(!entry.writer, "only one connect or send at a time can be in flight on a descriptor");
        entry.writer = &op;
        entry.pending &= static_cast<std::uint8_t>(~DescriptorEntry::writing);
        break;
    case Verb::poll:
        next_of(op) = entry.polls;
        entry.polls = &op;
        entry.pending &= static_cast<std::uint8_t>(~DescriptorEntry::polling);
        break;
    case Verb::file: break;
    }
    mark_dirty(entry, op.fd);
}

int EpollBackend::open_socket(int domain, int type) noexcept {
    const int fd = KernelBackend::open_socket(domain, type);
    if (fd >= 0) own(fd, false);
    return fd;
}

int EpollBackend::adopt(int fd) noexcept {
    const int result = KernelBackend::adopt(fd);
    if (result == 0) own(fd, true);
    return result;
}

int EpollBackend::try_accept(int fd) noexcept {
    const int accepted = KernelBackend::try_accept(fd);
    if (accepted >= 0) own(accepted, false);
    return accepted;
}

void EpollBackend::own(int fd, bool adopted) noexcept {
    DescriptorEntry& entry = table_.at(fd);
    LARIAT_CHECK(entry.idle(), "a descriptor with operations in flight was closed behind the backend's back");
    entry.owned = true;
    entry.adopted = adopted;
    entry.registered = false;
    entry.armed = DescriptorEntry::disarmed;
    entry.pending = 0;
    ++entry.generation;
}

void EpollBackend::close(int fd) noexcept {
    if (table_.contains(fd)) {
        DescriptorEntry& entry = table_[fd];
        LARIAT_CHECK(entry.idle(), "a descriptor was closed with an operation in flight");
        // Closing the last reference to a socket removes its registration (epoll(7)); an adopted one may have others.
        if (entry.registered && (entry.adopted || !entry.owned)) unregister(entry, fd);
        entry.owned = false;
        entry.registered = false;
        entry.armed = DescriptorEntry::disarmed;
        entry.pending = 0;
        ++entry.generation;
    }
    KernelBackend::close(fd);
}

void EpollBackend::mark_dirty(DescriptorEntry& entry, int fd) noexcept {
    if (entry.dirty) return;
    entry.dirty = true;
    dirty_.push_back(fd);
}

void EpollBackend::flush() noexcept {
    for (std::size_t i = 0; i < dirty_.size(); ++i) {  // it may grow: operations that end here leave their entry
        const int fd = dirty_[i];
        table_[fd].dirty = false;
        update(fd);
    }
    dirty_.clear();
}

// Brings the kernel's registration of `fd` to what its operations want.
void EpollBackend::update(int fd) noexcept {
    DescriptorEntry& entry = table_[fd];
    if (entry.writer && entry.writer->verb() == Verb::connect && state_of(*entry.writer) == OpState::queued) {
        start_connect(*entry.writer);
    }
    if (entry.idle()) {
        if (entry.registered && entry.armed != DescriptorEntry::disarmed) unregister(entry, fd);
        return;
    }
    std::uint32_t wanted = (entry.reader ? EPOLLIN : 0u) | (entry.writer ? EPOLLOUT : 0u);
    const auto started = [this](Op& op) {
        if (state_of(op) != OpState::queued) return;
        set_state(op, OpState::in_kernel);
        ++statistics_.submissions;
    };
    if (entry.reader) started(*entry.reader);
    if (entry.writer) started(*entry.writer);
    for (Op* op = entry.polls; op; op = next_of(*op)) {
        started(*op);
        wanted |= static_cast<PollOp*>(op)->events & 0xffffu;  // without epoll's own flags
    }
    // Descriptors that are not ours are reported once and then disarmed: whoever owns them may close them between two
    // operations, and nothing must be left behind that wakes us for ever.
    if (!entry.owned) wanted |= EPOLLONESHOT;
    if (entry.registered && entry.armed == wanted) return;

    epoll_event event{};
    event.events = wanted;
    event.data.u64 = token(fd, entry.generation);
    int result = ::epoll_ctl(epoll_.get(), entry.registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    if (result != 0 && errno == ENOENT) result = ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
    if (result != 0 && errno == EEXIST) result = ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
    if (result != 0) {
        entry.registered = false;
        return fail_all(fd, errno);
    }
    entry.registered = true;
    entry.armed = wanted;
}

void EpollBackend::start_connect(Op& op) noexcept {
    const auto& connect = static_cast<ConnectOp&>(op);
    set_state(op, OpState::in_kernel);
    ++statistics_.submissions;
    const int result = ::connect(op.fd, connect.address.data(), connect.address.size());
    const int error = errno;
    // After EINTR the connection goes on being made, connect(2).
    if (result != 0 && (error == EINPROGRESS || error == EINTR)) return;
    detach(op);
    finish(op, result == 0 ? 0 : -error);
}

// Ends every operation of a descriptor that epoll refuses. EPERM means that it cannot be waited for because it is
// always ready, such as a regular file: then a poll says so at once, and a transfer fails as the transfer would.
void EpollBackend::fail_all(int fd, int error) noexcept {
    DescriptorEntry& entry = table_[fd];
    const int result = error == EPERM ? -ENOTSOCK : -error;
    if (Op* op = entry.reader) detach(*op), finish(*op, result);
    if (Op* op = entry.writer) detach(*op), finish(*op, result);
    for (Op* op = entry.polls; op;) {
        Op* next = next_of(*op);
        const std::uint32_t ready = static_cast<PollOp*>(op)->events & always_true;
        if (error != EPERM || ready != 0) {
            detach(*op);
            finish(*op, error == EPERM ? static_cast<std::int32_t>(ready) : result);
        }
        op = next;
    }
}

void EpollBackend::unregister(DescriptorEntry& entry, int fd) noexcept {
    // Failure means that the descriptor is gone already, and its registration with it.
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    entry.registered = false;
    entry.armed = DescriptorEntry::disarmed;
}

// A registration whose number is closed here but whose socket lives on in another process or under another number can
// be neither removed nor silenced (epoll(7), "Questions and answers"). A new epoll set is the only way to be rid of it.
void EpollBackend::rebuild() noexcept {
    UniqueFd fresh = make_epoll(wake_fd());
    if (!fresh) return;  // out of descriptors or memory: the next such event tries again
    epoll_ = std::move(fresh);
    for (int fd = 0; fd < table_.size(); ++fd) {
        DescriptorEntry& entry = table_[fd];
        entry.registered = false;
        entry.armed = DescriptorEntry::disarmed;
        if (!entry.idle()) mark_dirty(entry, fd);
    }
}

void EpollBackend::wait(TimePoint deadline) noexcept {
    // What dispatch() has not reached comes first; what the kernel has is not lost, it is level triggered.
    if (next_event_ < event_count_) return;
    flush();
    collect(ask_kernel(finished_head_ ? TimePoint::min() : deadline));
    finish_files();
}

int EpollBackend::ask_kernel(TimePoint deadline) noexcept {
    ++statistics_.waits;
    const auto capacity = static_cast<int>(events_.size());
    int count;
    Duration left = Duration::zero();
    if (deadline != TimePoint::min() && deadline != never) left = deadline - now();
    if (deadline == never) {
        count = ::epoll_wait(epoll_.get(), events_.data(), capacity, -1);
    } else if (left <= Duration::zero()) {
        count = ::epoll_wait(epoll_.get(), events_.data(), capacity, 0);
    } else {
        count = -1;
        errno = ENOSYS;
        if (has_pwait2_) {
            timespec timeout{};
            timeout.tv_sec = static_cast<time_t>(left / std::chrono::seconds(1));
            timeout.tv_nsec = static_cast<long>((left % std::chrono::seconds(1)).count());
            count = ::epoll_pwait2(epoll_.get(), events_.data(), capacity, &timeout, nullptr);
            // Linux 5.11; filters that do not know it answer with either error.
            if (count < 0 && (errno == ENOSYS || errno == EPERM)) has_pwait2_ = false;
        }
        if (!has_pwait2_) {
            const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
            count = ::epoll_wait(epoll_.get(), events_.data(), capacity,
                                 static_cast<int>(std::min<std::int64_t>(ms, 1 << 30)));
        }
    }
    if (count >= 0) return count;
    LARIAT_CHECK(errno == EINTR, "epoll_wait(2) refused the backend's own descriptor");
    return 0;
}

void EpollBackend::collect(int count) noexcept {
    next_event_ = event_count_ = 0;
    bool stale = false;
    for (int i = 0; i < count; ++i) {
        const std::uint64_t data = events_[static_cast<std::size_t>(i)].data.u64;
        if (data == wake_token) continue;
        const auto fd = static_cast<int>(data & 0x7fffffff);
        const std::uint32_t happened = events_[static_cast<std::size_t>(i)].events;
        DescriptorEntry& entry = table_[fd];
        if (entry.generation != data >> 32) {
            stale = true;
            continue;
        }
        entry.happened = happened;
        entry.pending = static_cast<std::uint8_t>((happened & reader_events ? DescriptorEntry::reading : 0)
                                                  | (happened & writer_events ? DescriptorEntry::writing : 0)
                                                  | (entry.polls ? DescriptorEntry::polling : 0));
        if (!entry.owned) {
            entry.armed = DescriptorEntry::disarmed;
            mark_dirty(entry, fd);
        }
        events_[static_cast<std::size_t>(event_count_++)].data.fd = fd;
    }
    if (stale) rebuild();
}

}  // namespace lariat::io
