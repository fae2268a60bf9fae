// SPDX-License-Identifier: MIT
// Child processes for tests that change what the process may do: seccomp filters, limits. A child checks nothing
// itself; it reports a text, which the test compares.
#pragma once

#include <lariat/io/base/unique_fd.hpp>

#include <doctest/doctest.h>

#include <csignal>
#include <cstddef>
#include <exception>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lariat::test {

/// From now on `call` fails with `error` in this process.
inline bool forbid(long call, int error) {
    sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(call), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog filter{sizeof program / sizeof *program, program};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

/// Runs `body` in a child process and returns what it returned, or how the child died.
template <class Body>
std::string in_child(Body body) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    UniqueFd from(ends[0]), to(ends[1]);
    const pid_t child = ::fork();
    if (child == 0) {
        for (const int signal : {SIGABRT, SIGSEGV, SIGALRM})
            ::signal(signal, SIG_DFL);  // without the test runner's report
        ::alarm(20);
        std::string text;
        try {
            text = body();
        } catch (const std::exception& error) {
            text = std::string("exception: ") + error.what();
        }
        const ssize_t written = ::write(to.get(), text.data(), text.size());
        ::_exit(written == static_cast<ssize_t>(text.size()) ? 0 : 1);
    }
    to.reset();
    std::string text;
    char chunk[4096];
    for (ssize_t got; (got = ::read(from.get(), chunk, sizeof chunk)) > 0;)
        text.append(chunk, static_cast<std::size_t>(got));
    int status = 0;
    ::waitpid(child, &status, 0);
    if (!WIFEXITED(status)) return "died of signal " + std::to_string(WTERMSIG(status));
    return text;
}

}  // namespace lariat::test
