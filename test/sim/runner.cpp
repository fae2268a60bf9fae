// SPDX-License-Identifier: MIT
#include "runner.hpp"

#include <lariat/io/base/log.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace lariat::test {
namespace {

constexpr Scenario scenarios[] = {
    {"echo_cluster", echo_cluster},
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
        if (event.level >= LogLevel::warn) trial.violations.push_back("logged: " + std::string(event.text));
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

// A child tells the parent one line per event, short enough to be written at once: "at SEED" before a seed, then
// "ok SEED DIGEST EVENTS SECONDS" or "bad SEED DIGEST EVENTS SECONDS TEXT".
void tell(int pipe, const char* line, int length) {
    const auto size = static_cast<std::size_t>(std::clamp(length, 0, 1000));
    if (::write(pipe, line, size) != static_cast<ssize_t>(size)) std::_Exit(1);
}

[[noreturn]] void work(const SimRun& run, int job, int pipe) {
    char line[1024];
    const auto jobs = static_cast<std::uint64_t>(run.jobs);
    for (std::uint64_t i = static_cast<std::uint64_t>(job); i < run.seeds; i += jobs) {
        const std::uint64_t seed = run.from + i;
        tell(pipe, line, std::snprintf(line, sizeof line, "at %d %llu\n", job, static_cast<unsigned long long>(seed)));
        Result result = run_as_asked(run, seed);
        std::replace(result.violation.begin(), result.violation.end(), '\n', ' ');
        result.violation.resize(std::min<std::size_t>(result.violation.size(), 800));
        tell(pipe, line,
             std::snprintf(line, sizeof line, "%s %d %llu %llx %llu %f %s\n", result.violation.empty() ? "ok" : "bad",
                           job, static_cast<unsigned long long>(seed), static_cast<unsigned long long>(result.digest),
                           static_cast<unsigned long long>(result.events), result.seconds, result.violation.c_str()));
    }
    std::_Exit(0);
}

class Gathering {
public:
    explicit Gathering(const SimRun& run) : run_(run), terminal_(::isatty(STDERR_FILENO) != 0) {}

    void heard(const char* line) {
        char word[8] = "";
        int job = 0, text = 0;
        unsigned long long seed = 0, digest = 0, events = 0;
        double seconds = 0;
        const int fields =
            std::sscanf(line, "%7s %d %llu %llx %llu %lf %n", word, &job, &seed, &digest, &events, &seconds, &text);
        if (std::strcmp(word, "at") == 0 && fields >= 3) {
            under_way_[job] = seed;
            return;
        }
        if (fields < 6) return;
        under_way_.erase(job);
        ++done_;
        digest_ ^= Random(digest ^ seed).next();
        events_ += events;
        seconds_ += seconds;
        if (std::strcmp(word, "bad") == 0) failed(seed, line + text);
        if (terminal_ && done_ % 64 == 0) progress();
    }
    void ended(int status) {
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
        crashed_ = true;
    }
    int report(double real_seconds) {
        // What was begun and not reported took its process with it.
        for (const auto& [job, seed] : under_way_) failed(seed, "the process died, see above\n");
        if (crashed_ && under_way_.empty()) ++failures_;
        if (terminal_) std::fputs("\r\033[K", stderr);
        std::printf("%llu seeds, %llu failed, %.1f s, %llu events, %.1f hours of virtual time, digest %016llx\n",
                    static_cast<unsigned long long>(done_), static_cast<unsigned long long>(failures_), real_seconds,
                    static_cast<unsigned long long>(events_), seconds_ / 3600,
                    static_cast<unsigned long long>(digest_));
        return failures_ == 0 ? 0 : 1;
    }

private:
    void failed(std::uint64_t seed, const char* text) {
        if (++failures_ > 20) return;  // more of them say no more
        if (terminal_) std::fputs("\r\033[K", stderr);
        const auto number = static_cast<unsigned long long>(seed);
        const std::string name(scenario_of(run_, seed).name);
        std::printf("seed %llu, %s: %s  see it again: ./dev sim --scenario %s --seeds 1 --from %llu --trace\n", number,
                    name.c_str(), text, name.c_str(), number);
        std::fflush(stdout);
    }
    void progress() const {
        std::fprintf(stderr, "\r%llu of %llu seeds, %llu failed", static_cast<unsigned long long>(done_),
                     static_cast<unsigned long long>(run_.seeds), static_cast<unsigned long long>(failures_));
    }

    const SimRun& run_;
    bool terminal_;
    bool crashed_ = false;
    std::map<int, std::uint64_t> under_way_;
    std::uint64_t done_ = 0, failures_ = 0, digest_ = 0, events_ = 0;
    double seconds_ = 0;
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
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("no pipe: " + std::string(std::strerror(errno)));
    for (int job = 0; job < run.jobs; ++job) {
        const pid_t child = ::fork();
        if (child < 0) throw std::runtime_error("no process: " + std::string(std::strerror(errno)));
        if (child == 0) {
            ::close(ends[0]);
            work(run, job, ends[1]);
        }
    }
    ::close(ends[1]);
    FILE* lines = ::fdopen(ends[0], "r");
    char line[1024];
    while (std::fgets(line, sizeof line, lines)) gathering.heard(line);
    std::fclose(lines);
    int status = 0;
    while (::wait(&status) > 0) gathering.ended(status);
    return gathering.report(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
}

}  // namespace lariat::test
