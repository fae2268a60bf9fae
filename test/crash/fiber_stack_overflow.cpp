// SPDX-License-Identifier: MIT
// dies: the fault lies in the page below a stack of 64 KiB
// A function that recurses too deeply in a fiber runs into the guard page, in every build.
#include <lariat/coro/fiber.hpp>
#include <lariat/coro/run.hpp>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <unistd.h>

using namespace lariat;

constexpr std::uintptr_t stack_size = 64 * 1024, page = 4096;
std::uintptr_t bottom = 0;

// On a stack of its own: that of the fiber is full.
void on_fault(int, siginfo_t* info, void*) {
    const auto fault = reinterpret_cast<std::uintptr_t>(info->si_addr);
    const std::string_view verdict = bottom - page <= fault && fault < bottom
                                         ? "the fault lies in the page below a stack of 64 KiB\n"
                                         : "the fault lies elsewhere\n";
    if (::write(STDERR_FILENO, verdict.data(), verdict.size()) < 0) std::_Exit(1);
    std::abort();
}

int recurse(int depth) {
    volatile char frame[256] = {};
    return depth == 0 ? 0 : recurse(depth - 1) + frame[depth % 256];
}
void overflow() {
    const auto frame = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));  // in the uppermost page
    bottom = (frame + page - 1) / page * page - stack_size;
    std::exit(recurse(static_cast<int>(stack_size)));  // has an end, far below
}

int main() {
    static std::byte signal_stack[64 * 1024];
    stack_t alternative = {};
    alternative.ss_sp = signal_stack;
    alternative.ss_size = sizeof signal_stack;
    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    if (::sigaltstack(&alternative, nullptr) != 0 || ::sigaction(SIGSEGV, &action, nullptr) != 0) return 1;
    return run(in_fiber(FiberOptions().stack_size(stack_size), overflow));
}
