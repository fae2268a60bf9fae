// SPDX-License-Identifier: MIT
// Choosing a backend where the kernel refuses io_uring. The refusals are real: a child process installs a seccomp
// filter, chooses, and reports what it got and what it logged.
#include <lariat/io/base/error.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/io/make_backend.hpp>
#include <lariat/test/support/backends.hpp>
#include <lariat/test/support/child.hpp>
#include <lariat/test/support/io_world.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <optional>
#include <string>
#include <sys/resource.h>
#include <sys/syscall.h>

using namespace lariat;
using namespace lariat::test;
using io::BackendKind;

namespace {

/// The backend chosen, then what was logged, one line each.
std::string choose(BackendKind kind) {
    CapturedLogs logs;
    std::string text(io::make_backend(kind)->name());
    for (const CapturedLogs::Event& event : logs.events()) {
        text += "\n" + std::string(to_string(event.level)) + ": " + event.text;
    }
    return text;
}

/// A round trip of bytes on `backend`, to see that it works where it was chosen.
std::string exchange(io::Backend& backend) {
    SocketPair pair = unix_pair();
    std::string got;
    io::ReceiveOp receive(
        [](io::Op& op, io::Completion& completion) noexcept {
            *static_cast<std::string*>(op.owner) += completion.buffer.text();
        },
        &got);
    receive.fd = pair.ours.get();
    backend.submit(receive);
    ::send(pair.theirs.get(), "works", 5, MSG_NOSIGNAL);
    pair.theirs.reset();
    while (receive.in_flight()) {
        backend.wait(backend.now() + std::chrono::milliseconds(50));
        backend.dispatch(16);
    }
    return got;
}

void check_refusal(long call, int error, std::string_view named, std::string_view cause) {
    CAPTURE(named);
    CAPTURE(cause);
    const std::string automatic =
        in_child([&] { return forbid(call, error) ? choose(BackendKind::automatic) : "no seccomp"; });
    CAPTURE(automatic);
    CHECK(automatic.starts_with("epoll\nwarn: using epoll: io_uring is not available (" + std::string(named)));
    CHECK(automatic.find(cause) != std::string::npos);
    CHECK(std::count(automatic.begin(), automatic.end(), '\n') == 1);

    const std::string demanded =
        in_child([&] { return forbid(call, error) ? choose(BackendKind::uring) : "no seccomp"; });
    CAPTURE(demanded);
    CHECK(demanded.starts_with("exception: io_uring is not available (" + std::string(named)));
    CHECK(demanded.find('\n') == std::string::npos);

    const std::string why =
        in_child([&] { return forbid(call, error) ? io::why_no_uring().value_or("nothing") : "no seccomp"; });
    CHECK(why.starts_with(named));

    CHECK(in_child([&] { return forbid(call, error) ? exchange(*io::make_backend(BackendKind::automatic)) : ""; })
          == "works");
}

class Environment {
public:
    explicit Environment(const char* value) {
        if (const char* before = std::getenv("LARIAT_BACKEND")) before_ = before;
        value ? ::setenv("LARIAT_BACKEND", value, 1) : ::unsetenv("LARIAT_BACKEND");
    }
    ~Environment() { before_ ? ::setenv("LARIAT_BACKEND", before_->c_str(), 1) : ::unsetenv("LARIAT_BACKEND"); }

private:
    std::optional<std::string> before_;
};

}  // namespace

TEST_SUITE_BEGIN("io selection");

TEST_CASE("a kernel without io_uring gets epoll and one line with ENOSYS") {
    check_refusal(SYS_io_uring_setup, ENOSYS, "io_uring_setup: Function not implemented, ENOSYS: ", "seccomp");
}

TEST_CASE("a forbidden io_uring gets epoll and one line that names the sysctl and seccomp") {
    check_refusal(SYS_io_uring_setup, EPERM,
                  "io_uring_setup: Operation not permitted, EPERM: ", "kernel.io_uring_disabled");
}

TEST_CASE("a limit of locked memory gets epoll and one line that names it") {
    check_refusal(SYS_io_uring_setup, ENOMEM, "io_uring_setup: Cannot allocate memory, ENOMEM: ", "ulimit -l");
}

TEST_CASE("a kernel that is too old gets epoll and one line that says so") {
    check_refusal(SYS_io_uring_setup, EINVAL, "io_uring_setup: Invalid argument, EINVAL: ", "older than 6.1");
}

TEST_CASE("a refused registration of buffers gets epoll, too") {
    if (!backend_runs<backends_under_test::uring>()) return;  // io_uring_setup is refused already
    check_refusal(SYS_io_uring_register, EPERM, "io_uring_register: Operation not permitted, EPERM: ", "seccomp");
    check_refusal(SYS_io_uring_register, ENOMEM, "io_uring_register: Cannot allocate memory, ENOMEM: ", "ulimit -l");
    check_refusal(SYS_io_uring_register, EINVAL, "io_uring_register: Invalid argument, EINVAL: ", "older than 6.1");
}

TEST_CASE("a filter that forbids only entering the ring gets epoll, too") {
    if (!backend_runs<backends_under_test::uring>()) return;  // io_uring_setup is refused already
    check_refusal(SYS_io_uring_enter, EPERM, "io_uring_enter: Operation not permitted, EPERM: ", "seccomp");
    check_refusal(SYS_io_uring_enter, ENOSYS, "io_uring_enter: Function not implemented, ENOSYS: ", "seccomp");
}

TEST_CASE("without any locked memory either backend is chosen, and it works") {
    const std::string chosen = in_child([] {
        const rlimit none{0, 0};
        ::setrlimit(RLIMIT_MEMLOCK, &none);
        auto backend = io::make_backend(BackendKind::automatic);
        return std::string(backend->name()) + " " + exchange(*backend);
    });
    CHECK((chosen == "uring works" || chosen == "epoll works"));
}

// clang's sanitizer of undefined behaviour opens a pipe to look at an object's class, and ends the child without one.
#if defined(__has_feature)
constexpr bool sanitizer_needs_descriptors = __has_feature(undefined_behavior_sanitizer);
#else
constexpr bool sanitizer_needs_descriptors = false;
#endif

TEST_CASE("out of descriptors, the error says so" * doctest::skip(sanitizer_needs_descriptors)) {
    const std::string result = in_child([] {
        rlimit few{};
        ::getrlimit(RLIMIT_NOFILE, &few);
        few.rlim_cur = 3;
        ::setrlimit(RLIMIT_NOFILE, &few);
        return choose(BackendKind::automatic);
    });
    CHECK(result.starts_with("exception: "));
    CHECK(result.find("Too many open files") != std::string::npos);
}

TEST_CASE("epoll by name is silent, and the fallback is reported once in a process") {
    CHECK(in_child([] { return forbid(SYS_io_uring_setup, EPERM) ? choose(BackendKind::epoll) : ""; }) == "epoll");
    CHECK(in_child([] {
              if (!forbid(SYS_io_uring_setup, EPERM)) return std::string();
              choose(BackendKind::automatic);
              return choose(BackendKind::automatic);
          })
          == "epoll");
}

TEST_CASE("epoll keeps deadlines on kernels before 5.11, which have no epoll_pwait2") {
    for (const int error : {ENOSYS, EPERM}) {
        CHECK(in_child([&] {
                  if (!forbid(SYS_epoll_pwait2, error)) return std::string();
                  const auto backend = io::make_backend(BackendKind::epoll);
                  int calls = 0;
                  for (const TimePoint deadline = backend->now() + std::chrono::microseconds(2300);
                       backend->now() < deadline; ++calls) {
                      backend->wait(deadline);
                  }
                  return calls <= 3 ? exchange(*backend) : "it spins";
              })
              == "works");
    }
}

TEST_CASE("LARIAT_BACKEND chooses, and an unknown value is an error that names the known ones") {
    {
        const Environment environment(nullptr);
        CHECK(io::backend_kind_from_environment() == BackendKind::automatic);
    }
    for (const auto& [text, kind] : {std::pair{"", BackendKind::automatic}, std::pair{"auto", BackendKind::automatic},
                                     std::pair{"uring", BackendKind::uring}, std::pair{"epoll", BackendKind::epoll}}) {
        const Environment environment(text);
        CHECK(io::backend_kind_from_environment() == kind);
    }
    const Environment environment("kqueue");
    CHECK_THROWS_WITH_AS(io::backend_kind_from_environment(),
                         "LARIAT_BACKEND is 'kqueue'; known are auto, uring, epoll, sim and replay", UsageError);
    CHECK_FALSE(io::backend_kind("URING"));
}

TEST_SUITE_END();
