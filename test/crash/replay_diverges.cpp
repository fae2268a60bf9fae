// SPDX-License-Identifier: MIT
// dies: lariat: replay: /tmp/lariat-crash-
// dies: , event 2 of 4: the program asks for listen(
// dies: , 5), the recording has bind(
// dies: , 127.0.0.1:0) = 0. Usual causes: another version of the program,
#include <lariat/io/make_backend.hpp>
#include <lariat/io/record/record_backend.hpp>
#include <lariat/io/record/replay_backend.hpp>

#include <cstdlib>
#include <memory>
#include <unistd.h>
#include <utility>

using namespace lariat;

int main() {
    char path[] = "/tmp/lariat-crash-XXXXXX";
    ::close(::mkstemp(path));
    {
        io::RecordBackend recorded(io::make_backend(io::BackendKind::epoll), path);
        const int fd = recorded.open_socket(AF_INET, SOCK_STREAM);
        recorded.bind(fd, Address::loopback(0));
        recorded.close(fd);
    }
    io::ReplayBackend replay(path);
    ::unlink(path);
    replay.listen(replay.open_socket(AF_INET, SOCK_STREAM), 5);
}
