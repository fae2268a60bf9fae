// SPDX-License-Identifier: MIT
#include <lariat/runtime/delayed_call.hpp>

#include <lariat/io/backend.hpp>
#include <lariat/io/base/assert.hpp>
#include <lariat/io/base/timer_queue.hpp>
#include <lariat/runtime/report.hpp>

#include <chrono>
#include <cstdint>
#include <string>

namespace lariat {
namespace {

enum class State : std::uint8_t { pending, called, cancelled };

// saturating_add() for both directions.
TimePoint moved(TimePoint from, Duration by) noexcept {
    if (by < Duration::zero() && from < TimePoint::min() - by) return TimePoint::min();
    return saturating_add(from, by);
}

}  // namespace

struct DelayedCall::Node final : Timer, ListHook<> {
    explicit Node(DelayedCalls& owner_) noexcept : Timer(&fire), owner(owner_) {}

    static void fire(Timer& timer) noexcept;

    DelayedCalls& owner;
    Function<void()> function;
    TimePoint time{};
    std::source_location where;
    Node* next_free = nullptr;
    std::uint32_t references = 0;  // handles, and one more while pending or running
    State state = State::pending;
};

void DelayedCall::Node::fire(Timer& timer) noexcept {
    auto& node = static_cast<Node&>(timer);
    node.state = State::called;
    node.unlink();
    guarded("while handling timed call", [&] { node.function(); });
    node.function.reset();
    DelayedCalls::release(node);
}

DelayedCall::DelayedCall(Node& node) noexcept : node_(&node) { ++node.references; }

DelayedCall::DelayedCall(const DelayedCall& other) noexcept : node_(other.node_) {
    if (node_) ++node_->references;
}

DelayedCall::~DelayedCall() {
    if (node_) DelayedCalls::release(*node_);
}

DelayedCall::Node& DelayedCall::pending() const {
    LARIAT_CHECK(node_ != nullptr, "a DelayedCall without a call was used: assign what call_later() returned first");
    if (node_->state == State::called) throw AlreadyCalled();
    if (node_->state == State::cancelled) throw AlreadyCancelled();
    return *node_;
}

void DelayedCall::cancel() {
    Node& node = pending();
    node.state = State::cancelled;
    node.disarm();
    node.unlink();
    // The function may own the last handle but this one, even this one.
    Function<void()> function = std::move(node.function);
    DelayedCalls::release(node);
}

void DelayedCall::reset(Duration from_now) {
    Node& node = pending();
    node.time = moved(node.owner.backend_->now(), from_now);
    node.owner.timers_->arm(node, node.time);
}

void DelayedCall::delay(Duration by) {
    Node& node = pending();
    node.time = moved(node.time, by);
    node.owner.timers_->arm(node, node.time);
}

bool DelayedCall::active() const noexcept { return node_ && node_->state == State::pending; }

TimePoint DelayedCall::time() const noexcept { return node_ ? node_->time : never; }

std::source_location DelayedCall::where() const noexcept { return node_ ? node_->where : std::source_location(); }

DelayedCalls& DelayedCalls::create(io::Backend& backend, TimerQueue& timers) {
    return *new DelayedCalls(backend, timers);
}

DelayedCalls::DelayedCalls(io::Backend& backend, TimerQueue& timers) : backend_(&backend), timers_(&timers) {}

DelayedCalls::~DelayedCalls() {
    while (Node* node = free_) {
        free_ = node->next_free;
        delete node;
    }
}

void DelayedCalls::retire() noexcept {
    ++nodes_out_;  // what is cancelled below must not free the pool under our feet
    while (Node* node = pending_.pop_front()) {
        node->state = State::cancelled;
        node->disarm();
        node->function.reset();
        release(*node);
    }
    backend_ = nullptr;
    if (--nodes_out_ == 0) delete this;
}

DelayedCall DelayedCalls::call_later(Duration delay, Function<void()> function, const std::source_location& where) {
    if (delay < Duration::zero()) {
        throw UsageError(std::to_string(std::chrono::duration<double>(delay).count())
                         + " is not greater than or equal to 0 seconds");
    }
    Node& node = acquire();
    DelayedCall call(node);
    node.state = State::cancelled;  // until nothing can throw any more
    node.time = saturating_add(backend_->now(), delay);
    node.where = where;
    timers_->arm(node, node.time);
    node.state = State::pending;
    node.function = std::move(function);
    ++node.references;
    pending_.push_back(node);
    return call;
}

std::vector<DelayedCall> DelayedCalls::pending() {
    std::vector<DelayedCall> calls;
    pending_.for_each([&](Node& node) { calls.push_back(DelayedCall(node)); });
    return calls;
}

DelayedCalls::Node& DelayedCalls::acquire() {
    Node* node = free_;
    if (node) {
        free_ = node->next_free;
    } else {
        node = new Node(*this);
    }
    ++nodes_out_;
    return *node;
}

void DelayedCalls::release(Node& node) noexcept {
    if (--node.references != 0) return;
    DelayedCalls& owner = node.owner;
    node.next_free = std::exchange(owner.free_, &node);
    if (--owner.nodes_out_ == 0 && !owner.backend_) delete &owner;
}

}  // namespace lariat
