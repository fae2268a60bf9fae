// SPDX-License-Identifier: MIT
#include <lariat/io/base/fiber_context.hpp>

#include <lariat/io/base/fiber_stack.hpp>
#include <lariat/io/base/function.hpp>
#include <lariat/io/base/unique_fd.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <cstddef>
#include <exception>
#include <fcntl.h>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

using namespace lariat;

namespace {

/// A function on a stack of its own.
struct Fiber {
    explicit Fiber(Function<void()> body_) : body(std::move(body_)), context(&run, this) {}
    static void run(void* self) noexcept { static_cast<Fiber*>(self)->body(); }

    Function<void()> body;
    FiberContext context;
};

// Not a tail call, and a frame the optimiser cannot drop.
int depth_first(int depth) {
    volatile char frame[512] = {};
    if (depth == 0) {
        FiberContext::suspend();
        return 0;
    }
    return depth_first(depth - 1) + 1 + frame[depth % 512];
}

// Of a thread that keeps no stacks yet.
void check_kept_stacks() {
    constexpr std::size_t size = 10'000, pages = 16 * 1024;
    std::vector<std::unique_ptr<FiberStack>> stacks;
    for (std::size_t i = 0; i < FiberStack::kept_per_thread + 3; ++i) {
        stacks.push_back(std::make_unique<FiberStack>(size));
        CHECK(stacks.back()->size() == pages);
        *stacks.back()->bottom() = *(stacks.back()->top() - 1) = std::byte{1};
    }
    CHECK(FiberStack::kept() == 0);
    std::byte* last = nullptr;
    while (!stacks.empty()) {
        if (FiberStack::kept() < FiberStack::kept_per_thread) last = stacks.back()->bottom();
        stacks.pop_back();
    }
    CHECK(FiberStack::kept() == FiberStack::kept_per_thread);

    const FiberStack again(size);
    CHECK(again.bottom() == last);
    const FiberStack larger(2 * pages);
    CHECK(larger.size() == 2 * pages);
    CHECK(FiberStack::kept() == FiberStack::kept_per_thread - 1);

    // The guard is still there: the kernel, asked to read from it, refuses.
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const UniqueFd read_end(ends[0]), write_end(ends[1]);
    CHECK(::write(write_end.get(), again.bottom(), 1) == 1);
    CHECK(::write(write_end.get(), again.bottom() - 1, 1) == -1);
    CHECK(errno == EFAULT);
}

}  // namespace

TEST_CASE("a fiber runs when it is resumed, up to where it stops") {
    std::string order;
    Fiber fiber([&] {
        order += 'b';
        CHECK(FiberContext::current() != nullptr);
        FiberContext::suspend();
        order += 'd';
    });
    order += 'a';
    fiber.context.resume();
    order += 'c';
    CHECK_FALSE(fiber.context.ended());
    CHECK(FiberContext::current() == nullptr);
    fiber.context.resume();
    CHECK(order == "abcd");
    CHECK(fiber.context.ended());
}

TEST_CASE("a fiber that never began is only forgotten") {
    const auto owned = std::make_shared<int>(1);
    {
        const Fiber fiber([owned] { ++*owned; });
    }
    CHECK(owned.use_count() == 1);
    CHECK(*owned == 1);
}

TEST_CASE("a fiber stops at any depth of calls") {
    int result = -1;
    Fiber fiber([&] { result = depth_first(200); });
    fiber.context.resume();
    CHECK(result == -1);
    fiber.context.resume();
    CHECK(result == 200);
}

TEST_CASE("a fiber may resume another; each returns to its own resumer") {
    std::string order;
    Fiber inner([&] {
        order += "1";
        FiberContext::suspend();
        order += "4";
    });
    Fiber outer([&] {
        inner.context.resume();
        order += "2";
        FiberContext::suspend();
        inner.context.resume();
        order += "5";
    });
    outer.context.resume();
    order += "3";
    outer.context.resume();
    CHECK(order == "12345");
    CHECK(inner.context.ended());
    CHECK(outer.context.ended());
}

TEST_CASE("stacks are kept for reuse per thread, up to a limit and by size, and the guard stays") {
    const std::size_t kept_here = FiberStack::kept();
    std::thread(check_kept_stacks).join();
    CHECK(FiberStack::kept() == kept_here);
}

TEST_CASE("exceptions that are being handled stay with the fiber that handles them") {
    std::vector<std::string> seen;
    const auto thrower = [&seen](const char* name) {
        return [&seen, name] {
            try {
                throw std::runtime_error(name);
            } catch (const std::exception&) {
                FiberContext::suspend();
                try {
                    throw;  // the exception of this catch block
                } catch (const std::exception& again) {
                    seen.emplace_back(again.what());
                }
            }
        };
    };
    Fiber a(thrower("a"));
    Fiber b(thrower("b"));
    a.context.resume();
    CHECK(std::current_exception() == nullptr);
    b.context.resume();
    a.context.resume();
    b.context.resume();
    CHECK(seen == std::vector<std::string>{"a", "b"});
    CHECK(std::uncaught_exceptions() == 0);
}
