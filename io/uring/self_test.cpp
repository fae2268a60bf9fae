// SPDX-License-Identifier: MIT
// Probing by doing: what a kernel announces and what it does have differed, so bytes are moved through a small ring
// before one is trusted.
#include <lariat/io/base/unique_fd.hpp>
#include <lariat/io/uring/uring_backend.hpp>

#include <cerrno>
#include <sys/socket.h>
#include <unistd.h>

namespace lariat::io {
namespace {

struct Seen {
    std::string bytes;
    std::int32_t last_result = 1;
    bool over = false;
};

void note(Op& op, Completion& completion) noexcept {
    auto& seen = *static_cast<Seen*>(op.owner);
    if (completion.buffer) seen.bytes += completion.buffer.text();
    seen.last_result = completion.result;
    seen.over = !completion.more;
}

template <class Condition>
bool turn_until(UringBackend& backend, Condition condition) {
    for (int turn = 0; turn < 100 && !condition(); ++turn) {
        backend.wait(backend.now() + std::chrono::milliseconds(100));
        backend.dispatch(64);
    }
    return condition();
}

}  // namespace

std::string UringBackend::self_test() {
    std::string why;
    const BackendOptions small =
        BackendOptions().submission_entries(8).completion_entries(32).receive_buffers(4).receive_buffer_size(64);
    UringBackend backend(small);
    if (backend.set_up(small, why) < 0) return why;

    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) return "socketpair failed";
    const UniqueFd ours(pair[0]);
    UniqueFd theirs(pair[1]);

    Seen seen;
    ReceiveOp receive(note, &seen);
    receive.fd = ours.get();
    backend.submit(receive);
    const auto finish = [&](std::string verdict) {
        backend.cancel(receive);
        const bool ended = turn_until(backend, [&] { return !receive.in_flight(); });
        LARIAT_CHECK(ended, "io_uring does not complete a cancelled receive");
        return verdict;
    };

    // More than the four buffers hold, so that the ring runs dry once.
    const std::string sent(1000, 'x');
    if (::write(theirs.get(), sent.data(), sent.size()) != static_cast<ssize_t>(sent.size()))
        return finish("write failed");
    if (!turn_until(backend, [&] { return seen.bytes.size() >= sent.size() || seen.over; }) || seen.bytes != sent) {
        return finish("io_uring's multishot receive into provided buffers does not deliver what was sent");
    }
    backend.cancel(receive);
    if (!turn_until(backend, [&] { return seen.over; }) || seen.last_result != -ECANCELED) {
        return finish("io_uring does not cancel a multishot receive");
    }
    seen = {};
    backend.submit(receive);
    theirs.reset();
    if (!turn_until(backend, [&] { return seen.over; }) || seen.last_result != 0) {
        return finish("io_uring does not report the end of a stream");
    }
    return {};
}

std::unique_ptr<UringBackend> UringBackend::create(const BackendOptions& options, std::string& why) {
    why = self_test();
    if (!why.empty()) return nullptr;
    std::unique_ptr<UringBackend> backend(new UringBackend(options));
    if (backend->set_up(options, why) < 0) return nullptr;
    return backend;
}

}  // namespace lariat::io
