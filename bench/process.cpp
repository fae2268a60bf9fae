// SPDX-License-Identifier: MIT
#include "process.hpp"

#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lariat::bench {
namespace {

constexpr std::size_t page_bytes = 4096;
constexpr std::uint64_t start_limit_ns = 10'000'000'000;
constexpr int stop_patience_ms = 2000;

std::string system_error(const std::string& what) { return what + ": " + std::strerror(errno); }

std::uint64_t to_ns(const timespec& t) {
    return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(t.tv_nsec);
}

std::uint64_t read_clock(clockid_t clock) {
    timespec t{};
    return clock_gettime(clock, &t) == 0 ? to_ns(t) : 0;
}

/// The second field of a schedstat file: time spent runnable but not running.
std::uint64_t read_waited(const char* path) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    char text[128] = {};
    const ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    char* second = nullptr;
    if (length <= 0) return 0;
    std::strtoull(text, &second, 10);
    return std::strtoull(second, nullptr, 10);
}

std::uint64_t load_word(const void* page, std::size_t index) {
    return __atomic_load_n(static_cast<const std::uint64_t*>(page) + index, __ATOMIC_RELAXED);
}

[[noreturn]] void become(const std::vector<std::string>& command, int cpu, int out, int counters, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);  // the runner died before the line above
    if (cpu >= 0) pin_to_cpu(cpu);
    dup2(out, STDOUT_FILENO);
    fcntl(counters, F_SETFD, 0);
    setenv("LARIAT_BENCH_COUNTERS", std::to_string(counters).c_str(), 1);
    std::vector<char*> argv;
    for (const auto& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    execvp(argv[0], argv.data());
    _exit(127);
}

}  // namespace

SharedPage::SharedPage() : descriptor_(memfd_create("lariat-bench", MFD_CLOEXEC)) {
    if (descriptor_ < 0 || ftruncate(descriptor_, page_bytes) != 0) throw BenchError(system_error("shared page"));
    page_ = mmap(nullptr, page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_, 0);
    if (page_ == MAP_FAILED) throw BenchError(system_error("shared page"));
}

SharedPage::~SharedPage() {
    if (page_ != nullptr && page_ != MAP_FAILED) munmap(page_, page_bytes);
    if (descriptor_ >= 0) close(descriptor_);
}

bool SharedPage::counts() const { return load_word(page_, 0) != 0; }
std::uint64_t SharedPage::allocations() const { return load_word(page_, 1); }

ServerProcess::ServerProcess(const std::vector<std::string>& command, int cpu) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw BenchError(system_error("pipe"));
    const pid_t parent = getpid();
    pid_ = fork();
    if (pid_ < 0) throw BenchError(system_error("fork"));
    if (pid_ == 0) become(command, cpu, ends[1], page_.descriptor(), parent);
    close(ends[1]);
    try {
        read_port(ends[0], command.front());
        if (clock_getcpuclockid(pid_, &clock_) != 0) throw BenchError("no processor clock for " + command.front());
    } catch (...) {
        close(ends[0]);
        stop();
        throw;
    }
    close(ends[0]);
}

ServerProcess::~ServerProcess() { stop(); }

void ServerProcess::read_port(int from, const std::string& name) {
    const std::uint64_t give_up = monotonic_ns() + start_limit_ns;
    std::string text;
    for (;;) {
        pollfd wait{from, POLLIN, 0};
        const int ready = poll(&wait, 1, 100);
        char piece[256];
        const ssize_t got = ready > 0 ? read(from, piece, sizeof piece) : -1;
        if (got == 0) throw BenchError(name + " ended before it listened");
        if (got > 0) text.append(piece, static_cast<std::size_t>(got));
        if (const auto end = text.find('\n'); end != std::string::npos) {
            const auto colon = text.rfind(':', end);
            const long number = colon == std::string::npos ? 0 : std::strtol(text.c_str() + colon + 1, nullptr, 10);
            if (number <= 0 || number > 65535) throw BenchError(name + " said: " + text.substr(0, end));
            port_ = static_cast<std::uint16_t>(number);
            return;
        }
        if (monotonic_ns() > give_up) throw BenchError(name + " printed no port");
    }
}

std::uint64_t ServerProcess::cpu_ns() const { return read_clock(clock_); }

std::uint64_t ServerProcess::waited_ns() const {
    return read_waited(("/proc/" + std::to_string(pid_) + "/schedstat").c_str());
}

void ServerProcess::stop() noexcept {
    if (pid_ <= 0) return;
    kill(pid_, SIGTERM);
    for (int waited = 0; waitpid(pid_, nullptr, WNOHANG) == 0; ++waited) {
        if (waited == stop_patience_ms) kill(pid_, SIGKILL);
        usleep(1000);
    }
    pid_ = -1;
}

std::vector<int> allowed_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof set, &set);
    std::vector<int> cpus;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    return cpus;
}

bool raise_priority() { return setpriority(PRIO_PROCESS, 0, -20) == 0; }

bool pin_to_cpu(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return sched_setaffinity(0, sizeof set, &set) == 0;
}

std::uint64_t raise_descriptor_limit() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

std::string program_folder() {
    char path[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
    const std::string whole(path, length > 0 ? static_cast<std::size_t>(length) : 0);
    return whole.substr(0, whole.rfind('/') + 1);
}

bool is_program(const std::string& path) { return access(path.c_str(), X_OK) == 0; }

std::uint64_t monotonic_ns() { return read_clock(CLOCK_MONOTONIC); }
std::uint64_t thread_waited_ns() { return read_waited("/proc/thread-self/schedstat"); }
std::uint64_t thread_cpu_ns() { return read_clock(CLOCK_THREAD_CPUTIME_ID); }

}  // namespace lariat::bench
