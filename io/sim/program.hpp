// SPDX-License-Identifier: MIT
// Program: one run of a program of a simulated host, on a stack of its own.
#pragma once

#include <lariat/io/base/fiber_context.hpp>
#include <lariat/io/base/function.hpp>
#include <lariat/io/base/timer_queue.hpp>

#include <memory>
#include <string>

namespace lariat::sim {

class Node;

class Program {
public:
    using Main = std::shared_ptr<Function<int()>>;  // shared with the runs after a restart

    /// Begins with the next event.
    Program(Node& node, std::string name, Main main);

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] const Main& main() const noexcept { return main_; }
    [[nodiscard]] Node& node() noexcept { return node_; }
    [[nodiscard]] const Node& node() const noexcept { return node_; }
    [[nodiscard]] bool ended() const noexcept { return fiber_.ended(); }
    [[nodiscard]] int status() const noexcept { return status_; }
    /// Never runs, when it has not begun.
    void forget() noexcept { begin_.disarm(); }
    [[nodiscard]] bool pending() const noexcept { return begun_ ? !ended() : begin_.is_armed(); }

    /// Reactors that it makes from now on are asked to end.
    void raise(int signal) noexcept { signal_ = signal; }
    [[nodiscard]] int signal() const noexcept { return signal_; }

    /// Goes on where it waits.
    void resume() noexcept;
    /// Waits for resume(). On its own stack only, not in a fiber that it has started.
    void stop() noexcept;

    /// The program the calling code runs in; null outside.
    [[nodiscard]] static Program* current() noexcept;

private:
    struct Begin : Timer {
        explicit Begin(Program& owner) noexcept : Timer(&fired), program(owner) {}
        static void fired(Timer& timer) noexcept;
        Program& program;
    };
    static void run(void* self) noexcept;

    Node& node_;
    std::string name_;
    Main main_;
    FiberContext fiber_;
    Begin begin_;
    int status_ = 0;
    int signal_ = 0;
    bool begun_ = false;
};

}  // namespace lariat::sim
