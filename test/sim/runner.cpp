// SPDX-License-Identifier: MIT
#include "runner.hpp"

#include <lariat/io/base/log.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <poll.h>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace lariat::test {
namespace {

constexpr Scenario scenarios[] = {
    {"echo_cluster", echo_cluster}, {"transfer", transfer}, {"reconnecting", reconnecting}, {"chat", chat},
    {"letters", letters},
};

const Scenario& scenario_of(const SimRun& run, std::uint64_t seed) {
    if (const Scenario* chosen = find_scenario(run.scenario)) return *chosen;
    return scenarios[seed % std::size(scenarios)];
}

struct Result {
    std::uint64_t digest = 0;
    std::uint64_t events = 0;
    double seconds = 0;     // of virtual time
    std::string violation;  // the first; empty when all went well
};

Result run_seed(const SimRun& run, std::uint64_t seed) {
    auto* owned = new Trial(seed);
    Trial& trial = *owned;
    trial.print_trace = run.trace;
    // What lariat itself finds worth a warning, an unhandled failure for example, is a violation too.
    LogSink before = set_log_sink([&](const LogEvent& event) {
        if (run.trace) {
            std::printf("%s: [%s] %s\n", std::string(to_string(event.level)).c_str(), std::string(event.system).c_str(),
                        std::string(event.text).c_str());
        }
        trial.logged(event);
    });
    scenario_of(run, seed).run(trial);
    set_log_sink(std::move(before));
    Result result;
    result.digest = trial.digest;
    result.events = trial.world.events();
    result.seconds = std::chrono::duration<double>(trial.world.elapsed()).count();
    if (!trial.violations.empty()) result.violation = trial.violations.front();
    if (trial.all_ended) delete owned;  // else programs still run in it; it has been reported as a violation
    return result;
}

Result run_as_asked(const SimRun& run, std::uint64_t seed) {
    Result result = run_seed(run, seed);
    if (run.twice && result.violation.empty() && run_seed(run, seed).digest != result.digest) {
        result.violation = "two runs of the seed have different traces";
    }
    return result;
}

// A seed takes some milliseconds; one that takes this long does not end.
constexpr unsigned patience = 30;  // seconds

// A child tells the parent one line per event, short enough to be written at once: "at SEED" before a seed, then
// "ok SEED DIGEST EVENTS SECONDS" or "bad SEED DIGEST EVENTS SECONDS TEXT".
void tell(int pipe, const char* line, int length) {
    const auto size = static_cast<std::size_t>(std::clamp(length, 0, 1000));
    if (::write(pipe, line, size) != static_cast<ssize_t>(size)) std::_Exit(1);
}

[[noreturn]] void work(const SimRun& run, std::uint64_t from, int pipe) {
    char line[1024];
    const auto jobs = static_cast<std::uint64_t>(run.jobs);
    for (std::uint64_t seed = from; seed < run.from + run.seeds; seed += jobs) {
        tell(pipe, line, std::snprintf(line, sizeof line, "at %llu\n", static_cast<unsigned long long>(seed)));
        ::alarm(patience);
        Result result = run_as_asked(run, seed);
        ::alarm(0);
        std::replace(result.violation.begin(), result.violation.end(), '\n', ' ');
        result.violation.resize(std::min<std::size_t>(result.violation.size(), 800));
        tell(pipe, line,
             std::snprintf(line, sizeof line, "%s %llu %llx %llu %f %s\n", result.violation.empty() ? "ok" : "bad",
                           static_cast<unsigned long long>(seed), static_cast<unsigned long long>(result.digest),
                           static_cast<unsigned long long>(result.events), result.seconds, result.violation.c_str()));
    }
    std::_Exit(0);
}

class Gathering {
public:
    explicit Gathering(const SimRun& run) : run_(run), terminal_(::isatty(STDERR_FILENO) != 0) {}

    void done(std::uint64_t seed, std::uint64_t digest, std::uint64_t events, double seconds) {
        ++done_;
        digest_ ^= Random(digest ^ seed).next();
        events_ += events;
        seconds_ += seconds;
        if (terminal_ && done_ % 64 == 0) progress();
    }
    void failed(std::uint64_t seed, const std::string& text) {
        if (++failures_ > 20) return;  // more of them say no more
        if (terminal_) std::fputs("\r\033[K", stderr);
        const auto number = static_cast<unsigned long long>(seed);
        const std::string name(scenario_of(run_, seed).name);
        std::printf("seed %llu, %s: %s\n  see it again: ./dev sim --scenario %s --seeds 1 --from %llu --trace\n",
                    number, name.c_str(), text.c_str(), name.c_str(), number);
        std::fflush(stdout);
    }
    [[nodiscard]] bool is_enough() const noexcept { return run_.until_failure && failures_ > 0; }
    int report(double real_seconds) const {
        if (terminal_) std::fputs("\r\033[K", stderr);
        std::printf("%llu seeds, %llu failed, %.1f s, %llu events, %.1f hours of virtual time, digest %016llx\n",
                    static_cast<unsigned long long>(done_), static_cast<unsigned long long>(failures_), real_seconds,
                    static_cast<unsigned long long>(events_), seconds_ / 3600,
                    static_cast<unsigned long long>(digest_));
        return failures_ == 0 ? 0 : 1;
    }

private:
    void progress() const {
        std::fprintf(stderr, "\r%llu of %llu seeds, %llu failed", static_cast<unsigned long long>(done_),
                     static_cast<unsigned long long>(run_.seeds), static_cast<unsigned long long>(failures_));
    }

    const SimRun& run_;
    bool terminal_;
    std::uint64_t done_ = 0, failures_ = 0, digest_ = 0, events_ = 0;
    double seconds_ = 0;
};

/// A child process that runs its share of the seeds, and its successors: one that dies leaves the rest of its share to
/// the next.
class Worker {
public:
    Worker(const SimRun& run, Gathering& gathering, std::uint64_t first) : run_(run), gathering_(gathering) {
        begin(first);
    }
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    ~Worker() {
        if (child_ > 0) end(SIGKILL);
    }

    /// Where it says how it gets on; -1 when its share is done.
    [[nodiscard]] int pipe() const noexcept { return pipe_; }
    void listen() {
        char bytes[4096];
        const ssize_t count = ::read(pipe_, bytes, sizeof bytes);
        if (count > 0) {
            heard_.append(bytes, static_cast<std::size_t>(count));
            for (std::size_t end; (end = heard_.find('\n')) != std::string::npos; heard_.erase(0, end + 1)) {
                heard(heard_.substr(0, end));
            }
        } else if (count == 0) {
            bury();
        } else if (errno != EINTR) {
            throw std::runtime_error("reading a pipe: " + std::string(std::strerror(errno)));
        }
    }

private:
    void begin(std::uint64_t seed) {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe: " + std::string(std::strerror(errno)));
        child_ = ::fork();
        if (child_ < 0) throw std::runtime_error("no process: " + std::string(std::strerror(errno)));
        if (child_ == 0) work(run_, seed, ends[1]);
        ::close(ends[1]);
        pipe_ = ends[0];
        next_ = seed;
        busy_ = false;
    }
    int end(int signal) {
        int status = 0;
        if (signal != 0) ::kill(child_, signal);
        ::waitpid(std::exchange(child_, 0), &status, 0);
        ::close(std::exchange(pipe_, -1));
        heard_.clear();
        return status;
    }
    void heard(const std::string& line) {
        char word[8] = "";
        int text = 0;
        unsigned long long seed = 0, digest = 0, events = 0;
        double seconds = 0;
        const int fields =
            std::sscanf(line.c_str(), "%7s %llu %llx %llu %lf %n", word, &seed, &digest, &events, &seconds, &text);
        next_ = seed;
        busy_ = std::strcmp(word, "at") == 0;
        if (busy_ || fields < 5) return;
        next_ = seed + static_cast<std::uint64_t>(run_.jobs);
        gathering_.done(seed, digest, events, seconds);
        if (std::strcmp(word, "bad") == 0) gathering_.failed(seed, line.substr(static_cast<std::size_t>(text)));
    }
    void bury() {
        const int status = end(0);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
        const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        std::string text = busy_ ? "the process died, see above: " : "the process died before this one, see above: ";
        text += signal != 0 ? ::strsignal(signal) : "status " + std::to_string(WEXITSTATUS(status));
        if (signal == SIGALRM) text = "not over after " + std::to_string(patience) + " s of real time";
        gathering_.failed(next_, text);
        next_ += static_cast<std::uint64_t>(run_.jobs);
        begin(next_);
    }

    const SimRun& run_;
    Gathering& gathering_;
    pid_t child_ = 0;
    int pipe_ = -1;
    std::uint64_t next_ = 0;  // the seed it is at, or comes to next
    bool busy_ = false;       // with that one
    std::string heard_;       // the line that is not whole yet
};

int run_here(const SimRun& run) {
    int failures = 0;
    for (std::uint64_t seed = run.from; seed < run.from + run.seeds; ++seed) {
        const Result result = run_as_asked(run, seed);
        if (result.violation.empty()) continue;
        ++failures;
        std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), result.violation.c_str());
    }
    return failures == 0 ? 0 : 1;
}

}  // namespace

const Scenario* find_scenario(std::string_view name) noexcept {
    for (const Scenario& scenario : scenarios) {
        if (scenario.name == name) return &scenario;
    }
    return nullptr;
}

std::string scenario_names() {
    std::string names;
    for (const Scenario& scenario : scenarios) names += (names.empty() ? "" : ", ") + std::string(scenario.name);
    return names;
}

int run_seeds(const SimRun& run) {
    if (run.trace) return run_here(run);
    const auto begin = std::chrono::steady_clock::now();
    Gathering gathering(run);
    std::vector<std::unique_ptr<Worker>> workers;
    for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(run.jobs); ++i) {
        workers.push_back(std::make_unique<Worker>(run, gathering, run.from + i));
    }
    std::vector<pollfd> waits(workers.size());
    while (!gathering.is_enough()) {
        bool all_done = true;
        for (std::size_t i = 0; i < workers.size(); ++i) {
            waits[i] = {workers[i]->pipe(), POLLIN, 0};  // poll() passes over -1
            all_done = all_done && waits[i].fd < 0;
        }
        if (all_done) break;
        if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) {
            throw std::runtime_error("poll: " + std::string(std::strerror(errno)));
        }
        for (std::size_t i = 0; i < workers.size(); ++i) {
            if (waits[i].revents != 0) workers[i]->listen();
        }
    }
    workers.clear();
    return gathering.report(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
}

}  // namespace lariat::test
