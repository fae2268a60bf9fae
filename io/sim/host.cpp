// SPDX-License-Identifier: MIT
#include <lariat/io/sim/host.hpp>

#include <lariat/io/base/error.hpp>
#include <lariat/io/sim/address_kinds.hpp>
#include <lariat/io/sim/node.hpp>
#include <lariat/io/sim/program.hpp>
#include <lariat/io/sim/sim_backend.hpp>
#include <lariat/io/sim/world.hpp>

#include <algorithm>
#include <csignal>
#include <utility>

namespace lariat::sim {
namespace {

__extension__ typedef __int128 Wide;  // nanoseconds times millionths

}  // namespace

Host::Host(World& world, std::size_t index, std::string_view name, std::vector<Address> addresses)
    : world_(world),
      index_(index),
      name_(name),
      addresses_(std::move(addresses)),
      random_(Random(world.seed()).fork(name)) {
    nodes_.push_back(std::make_unique<Node>(*this));
}

Host::~Host() = default;

Host* Host::current() noexcept {
    Program* program = Program::current();
    return program ? &program->node().host() : nullptr;
}

void Host::trace(std::string_view what) {
    if (world_.tracing()) world_.trace(name_ + " " + std::string(what));
}

// Programs

void Host::start(std::string_view program, Function<int()> main) {
    if (!up_) throw UsageError("host '" + name_ + "' is down; restart() it before starting programs");
    auto shared = std::make_shared<Function<int()>>(std::move(main));
    programs_.push_back(std::make_unique<Program>(node(), std::string(program), std::move(shared)));
}

void Host::terminate() {
    trace("terminates");
    for (const auto& program : programs_) {
        if (&program->node() == &node()) program->raise(SIGTERM);
    }
    for (SimBackend* backend : node().all_backends()) backend->raise(SIGTERM);
}

void Host::crash() {
    if (!up_) return;
    trace("crashes");
    node().die();
    disk_.lose_power(random_);
    up_ = false;
    for (const auto& program : programs_) {
        if (&program->node() == &node()) program->forget();
    }
    for (SimBackend* backend : node().all_backends()) backend->raise(SIGKILL);
}

void Host::restart() {
    if (up_) return;
    trace("restarts");
    nodes_.push_back(std::make_unique<Node>(*this));
    up_ = true;
    // One run of each program anew: of the last life, in the order they were started.
    Node* before = nodes_[nodes_.size() - 2].get();
    const std::size_t count = programs_.size();
    for (std::size_t i = 0; i < count; ++i) {
        if (&programs_[i]->node() != before) continue;
        programs_.push_back(std::make_unique<Program>(node(), programs_[i]->name(), programs_[i]->main()));
    }
}

std::optional<int> Host::status(std::string_view program) const noexcept {
    for (auto run = programs_.rbegin(); run != programs_.rend(); ++run) {
        if ((*run)->name() != program) continue;
        if ((*run)->ended()) return (*run)->status();
        return std::nullopt;
    }
    return std::nullopt;
}

bool Host::programs_running() const noexcept {
    for (const auto& program : programs_) {
        if (program->node().alive() && program->pending()) return true;
    }
    return false;
}

bool Host::ghosts_running() const noexcept {
    for (const auto& program : programs_) {
        if (program->pending()) return true;
    }
    return false;
}

// The clock

void Host::skew(Duration offset, std::int32_t ppm) noexcept {
    clock_offset_ = offset;
    clock_ppm_ = ppm;
}

TimePoint Host::clock() const noexcept {
    const Duration elapsed = world_.now().time_since_epoch();
    if (clock_ppm_ == 0) return TimePoint(elapsed + clock_offset_);
    const auto drift = static_cast<std::int64_t>(static_cast<Wide>(elapsed.count()) * clock_ppm_ / 1'000'000);
    return TimePoint(elapsed + clock_offset_ + Duration(drift));
}

TimePoint Host::world_time(TimePoint clock) const noexcept {
    if (clock == never) return never;
    const Duration elapsed = clock.time_since_epoch() - clock_offset_;
    if (clock_ppm_ == 0) return TimePoint(elapsed);
    // Rounded up: a timer must not come before its time.
    const Wide scaled = static_cast<Wide>(elapsed.count()) * 1'000'000;
    const Wide rate = 1'000'000 + clock_ppm_;
    return TimePoint(Duration(static_cast<std::int64_t>((scaled + rate - 1) / rate)));
}

// The network

bool Host::has_address(const Address& address) const noexcept {
    if (is_loopback(address)) return true;
    for (Address own : addresses_) {
        own.set_port(address.port());
        if (own == address) return true;
    }
    return false;
}

Address Host::source_for(const Address& destination) const {
    if (!is_loopback(destination)) {
        for (const Address& own : addresses_) {
            if (own.domain() == destination.domain()) return own;
        }
    }
    return *Address::from_host(destination.family() == Address::Family::ipv6 ? "::1" : "127.0.0.1", 0);
}

Duration Path::transit(TimePoint now, std::size_t size, Random& random) noexcept {
    Duration delay =
        options.latency() + Duration(random.below(static_cast<std::uint64_t>(options.jitter().count()) + 1));
    if (options.bandwidth() > 0) {
        busy_until = std::max(busy_until, now) + Duration(size * 1'000'000'000 / options.bandwidth());
        delay += busy_until - now;
    }
    return delay;
}

Path& Host::path_to(std::size_t host) {
    if (host >= paths_.size()) paths_.resize(host + 1);
    return paths_[host];
}

}  // namespace lariat::sim
