// SPDX-License-Identifier: MIT
// dies: a backend was destroyed
#include <lariat/io/make_backend.hpp>

#include <sys/socket.h>

using namespace lariat;

int main() {
    auto backend = io::make_backend(io::BackendKind::automatic);
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return 1;
    io::ReceiveOp op([](io::Op&, io::Completion&) noexcept {}, nullptr);
    op.fd = pair[0];
    backend->submit(op);
    backend.reset();
    return 0;
}
