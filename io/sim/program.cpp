// SPDX-License-Identifier: MIT
#include <lariat/io/sim/program.hpp>

#include <lariat/io/base/assert.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/io/sim/host.hpp>
#include <lariat/io/sim/node.hpp>
#include <lariat/io/sim/world.hpp>

#include <exception>
#include <utility>

namespace lariat::sim {
namespace {

thread_local Program* current_program = nullptr;

}  // namespace

Program::Program(Node& node, std::string name, Main main)
    : node_(node), name_(std::move(name)), main_(std::move(main)), fiber_(&run, this), begin_(*this) {
    World& world = node_.host().world();
    world.timers().arm(begin_, world.now());
}

Program* Program::current() noexcept { return current_program; }

void Program::resume() noexcept {
    Program* outer = std::exchange(current_program, this);
    fiber_.resume();
    current_program = outer;
}

void Program::stop() noexcept {
    LARIAT_CHECK(FiberContext::current() == &fiber_,
                 "a Reactor on a simulated host was run inside a fiber; run it in the program itself");
    FiberContext::suspend();
}

void Program::Begin::fired(Timer& timer) noexcept {
    Program& program = static_cast<Begin&>(timer).program;
    program.begun_ = true;
    program.resume();
}

void Program::run(void* self) noexcept {
    auto& program = *static_cast<Program*>(self);
    try {
        program.status_ = (*program.main_)();
    } catch (const std::exception& error) {
        program.status_ = 1;
        log(LogLevel::error, "sim", program.name_ + " ended with an exception: " + error.what());
    } catch (...) {
        program.status_ = 1;
        log(LogLevel::error, "sim", program.name_ + " ended with an exception");
    }
}

}  // namespace lariat::sim
