// SPDX-License-Identifier: MIT
#include "child_process.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <memory>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace poetry {
namespace {

using lariat::describe_errno;
using lariat::Error;

/// Starts a program; its stdout becomes `out` unless that is -1.
pid_t start(const std::vector<std::string>& command, int out) {
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid < 0) throw Error(describe_errno("fork", errno), errno);
    if (pid > 0) return pid;
    // A demo that is killed takes its servers with it; the second line is for one that died before the first.
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(127);
    if (out >= 0) dup2(out, STDOUT_FILENO);
    execv(arguments[0], arguments.data());
    std::perror(arguments[0]);
    _exit(127);
}

int wait_for(pid_t pid) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// The last word of the first line that arrives through `fd`, which is closed; empty when none does.
std::string last_word_of_line(int fd) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> in(fdopen(fd, "r"), std::fclose);
    char text[4096] = "";
    if (!in || !std::fgets(text, sizeof text, in.get())) return {};
    std::string line = text;
    line.erase(line.find_last_not_of('\n') + 1);
    return line.substr(line.rfind(' ') + 1);
}

}  // namespace

ServerProcess::ServerProcess(const std::vector<std::string>& command) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw Error(describe_errno("pipe", errno), errno);
    pid_ = start(command, ends[1]);
    close(ends[1]);
    const auto address = lariat::Address::parse(last_word_of_line(ends[0]));
    if (!address) {
        kill(pid_, SIGTERM);
        wait_for(pid_);
        throw Error(command[0] + " did not start");
    }
    address_ = *address;
}

ServerProcess::~ServerProcess() {
    kill(pid_, SIGTERM);
    wait_for(pid_);
}

int run_to_end(const std::vector<std::string>& command) { return wait_for(start(command, -1)); }

}  // namespace poetry
