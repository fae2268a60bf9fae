// SPDX-License-Identifier: MIT
// doctest's main with two guards around every test case. A case that leaves a descriptor open fails the run by
// name (LARIAT_TEST_FD_CHECK=0 turns this off). A case that takes longer than LARIAT_TEST_CASE_SECONDS, 60 when
// unset, aborts the run by name instead of hanging until the whole program is killed.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <dirent.h>
#include <map>
#include <string>
#include <string_view>
#include <unistd.h>

namespace {

using Descriptors = std::map<int, std::string>;

bool fd_check_enabled = true;
unsigned case_seconds = 60;
int cases_that_leaked = 0;
char running_case[256];

// Libraries open these on first use and keep them; they say nothing about the case.
bool kept_by_libraries(std::string_view target) {
    for (std::string_view prefix : {"/dev/", "/proc/", "/sys/", "/etc/", "/usr/"})
        if (target.starts_with(prefix)) return true;
    return false;
}

Descriptors open_descriptors() {
    Descriptors found;
    DIR* folder = opendir("/proc/self/fd");
    if (folder == nullptr) return found;
    while (const dirent* entry = readdir(folder)) {
        const int fd = std::atoi(entry->d_name);
        if (entry->d_name[0] == '.' || fd == dirfd(folder)) continue;
        char target[512];
        const std::string link = std::string("/proc/self/fd/") + entry->d_name;
        const ssize_t length = readlink(link.c_str(), target, sizeof target);
        std::string name(target, length > 0 ? static_cast<std::size_t>(length) : 0);
        if (!kept_by_libraries(name)) found.emplace(fd, std::move(name));
    }
    closedir(folder);
    return found;
}

extern "C" void on_case_timeout(int) {
    constexpr std::string_view text = "test case took too long: ";
    std::size_t length = 0;
    while (length < sizeof running_case && running_case[length] != '\0') ++length;
    [[maybe_unused]] ssize_t written = write(STDERR_FILENO, text.data(), text.size());
    written = write(STDERR_FILENO, running_case, length);
    written = write(STDERR_FILENO, "\n", 1);
    std::abort();
}

class CaseGuards final : public doctest::IReporter {
public:
    explicit CaseGuards(const doctest::ContextOptions&) {}

    void test_case_start(const doctest::TestCaseData& data) override {
        std::snprintf(running_case, sizeof running_case, "%s", data.m_name);
        if (fd_check_enabled) before_ = open_descriptors();
        alarm(case_seconds);
    }

    void test_case_end(const doctest::CurrentTestCaseStats& stats) override {
        alarm(0);
        // A case that failed half way may rightly leave things open; its own failure is the news.
        if (!fd_check_enabled || !stats.testCaseSuccess) return;
        const Descriptors after = open_descriptors();
        bool leaked = false;
        for (const auto& [fd, target] : after) {
            if (before_.contains(fd)) continue;
            std::fprintf(stderr, "test case left a descriptor open: %s: %d is %s\n", running_case, fd, target.c_str());
            leaked = true;
        }
        for (const auto& [fd, target] : before_) {
            if (after.contains(fd)) continue;
            std::fprintf(stderr, "test case closed a descriptor it did not open: %s: %d was %s\n", running_case, fd,
                         target.c_str());
            leaked = true;
        }
        if (leaked) ++cases_that_leaked;
    }

    void report_query(const doctest::QueryData&) override {}
    void test_run_start() override {}
    void test_run_end(const doctest::TestRunStats&) override {}
    void test_case_reenter(const doctest::TestCaseData&) override {}
    void test_case_exception(const doctest::TestCaseException&) override { alarm(0); }
    void subcase_start(const doctest::SubcaseSignature&) override {}
    void subcase_end() override {}
    void log_assert(const doctest::AssertData&) override {}
    void log_message(const doctest::MessageData&) override {}
    void test_case_skipped(const doctest::TestCaseData&) override {}

private:
    Descriptors before_;
};

REGISTER_LISTENER("case_guards", 1, CaseGuards);

}  // namespace

int main(int argc, char** argv) {
    if (const char* setting = std::getenv("LARIAT_TEST_FD_CHECK")) fd_check_enabled = std::string_view(setting) != "0";
    if (const char* setting = std::getenv("LARIAT_TEST_CASE_SECONDS"))
        case_seconds = static_cast<unsigned>(std::strtoul(setting, nullptr, 10));
    std::signal(SIGALRM, on_case_timeout);

    doctest::Context context(argc, argv);
    const int status = context.run();
    if (context.shouldExit()) return status;
    if (cases_that_leaked > 0) std::fprintf(stderr, "%d test cases left descriptors behind\n", cases_that_leaked);
    return status != 0 || cases_that_leaked > 0 ? 1 : 0;
}
