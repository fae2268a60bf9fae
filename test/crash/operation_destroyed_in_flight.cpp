// SPDX-License-Identifier: MIT
// dies: an operation was destroyed while the kernel may still use its memory
#include <lariat/io/make_backend.hpp>

#include <sys/socket.h>

using namespace lariat;

int main() {
    const auto backend = io::make_backend(io::BackendKind::epoll);
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return 1;
    io::ReceiveOp op([](io::Op&, io::Completion&) noexcept {}, nullptr);
    op.fd = pair[0];
    backend->submit(op);
    return 0;
}
