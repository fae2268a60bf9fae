// SPDX-License-Identifier: MIT
// The servers under test as child processes: started pinned to one processor, found by the port they print, read by the
// kernel's own accounting of their processor time, and never left behind. Not thread-safe; the runner has one thread.
#pragma once

#include <cstdint>
#include <ctime>
#include <stdexcept>
#include <string>
#include <sys/types.h>
#include <vector>

namespace lariat::bench {

/// What stops a benchmark: a server that does not start, dies, or answers wrongly.
struct BenchError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// One page shared with a server, which counts its allocations there; the reader costs the server nothing.
class SharedPage {
public:
    SharedPage();
    ~SharedPage();
    SharedPage(const SharedPage&) = delete;
    SharedPage& operator=(const SharedPage&) = delete;

    int descriptor() const { return descriptor_; }
    /// The first counter of the page, or nothing if no server ever announced that it counts.
    bool counts() const;
    std::uint64_t allocations() const;

private:
    int descriptor_ = -1;
    void* page_ = nullptr;
};

/// A running server: ends with this object, or with the runner if that dies first.
class ServerProcess {
public:
    /// Starts `command` on `cpu` (-1: anywhere) and returns when it has printed its port.
    ServerProcess(const std::vector<std::string>& command, int cpu);
    ~ServerProcess();
    ServerProcess(const ServerProcess&) = delete;
    ServerProcess& operator=(const ServerProcess&) = delete;

    std::uint16_t port() const { return port_; }
    pid_t pid() const { return pid_; }
    const SharedPage& page() const { return page_; }
    /// How long its main thread stood ready to run while something else had the processor.
    std::uint64_t waited_ns() const;
    /// Processor time of all its threads in nanoseconds, kernel and user, as the scheduler accounts it.
    std::uint64_t cpu_ns() const;

private:
    void read_port(int from, const std::string& name);
    void stop() noexcept;

    SharedPage page_;
    pid_t pid_ = -1;
    clockid_t clock_ = 0;
    std::uint16_t port_ = 0;
};

/// The processors this process may use, in order.
std::vector<int> allowed_cpus();
/// Asks for the highest ordinary priority, also for the servers started later, so that other work on the machine
/// disturbs less; false if that is not permitted.
bool raise_priority();
/// Keeps the calling thread on one processor; false if the kernel refuses.
bool pin_to_cpu(int cpu);
/// Raises the limit on descriptors as far as allowed and returns it.
std::uint64_t raise_descriptor_limit();
/// The folder of this program, with a slash at its end; servers are looked for beside it.
std::string program_folder();
/// Whether `path` is a program that can be run.
bool is_program(const std::string& path);

std::uint64_t monotonic_ns();
std::uint64_t thread_cpu_ns();
/// As ServerProcess::waited_ns, for the calling thread.
std::uint64_t thread_waited_ns();

}  // namespace lariat::bench
