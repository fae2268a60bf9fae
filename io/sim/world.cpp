// SPDX-License-Identifier: MIT
#include <lariat/io/sim/world.hpp>

#include <lariat/io/base/assert.hpp>
#include <lariat/io/base/error.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/io/sim/datagrams.hpp>
#include <lariat/io/sim/node.hpp>
#include <lariat/io/sim/sim_backend.hpp>
#include <lariat/io/sim/stream.hpp>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <sys/eventfd.h>
#include <sys/single_threaded.h>
#include <unistd.h>

namespace lariat::sim {
namespace {

std::vector<Address> literals(const std::vector<std::string>& texts) {
    std::vector<Address> addresses;
    for (const std::string& text : texts) {
        const std::optional<Address> address = Address::from_host(text, 0);
        if (!address) throw UsageError("'" + text + "' is no IP literal");
        addresses.push_back(*address);
    }
    return addresses;
}

std::uint64_t seed_from_environment() {
    const char* text = std::getenv("LARIAT_SIM_SEED");
    if (!text || *text == '\0') return 1;
    const std::string_view digits = text;
    std::uint64_t seed = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), seed);
    if (error != std::errc() || end != digits.data() + digits.size()) {
        throw UsageError("LARIAT_SIM_SEED is '" + std::string(digits) + "'; it must be a number of at most 64 bits");
    }
    return seed;
}

}  // namespace

struct World::Script final : Timer, ListHook<> {
    explicit Script(Function<void()> f) noexcept : Timer(&fired), function(std::move(f)) {}
    static void fired(Timer& timer) noexcept {
        const std::unique_ptr<Script> self(static_cast<Script*>(&timer));
        self->function();
    }
    Function<void()> function;
};

World::World(std::uint64_t seed) : seed_(seed), random_(Random(seed).fork("network")) {
    loopback_.latency(std::chrono::microseconds(5)).jitter(std::chrono::microseconds(10)).mtu(65536);
}

World::~World() {
    for (const auto& host : hosts_) {
        LARIAT_CHECK(!host->ghosts_running(), "a World was destroyed while programs wait in it; end_programs() first");
    }
    LARIAT_CHECK(backends_.empty(), "a World was destroyed while a Reactor is on it");
    while (Script* script = scripts_.pop_front()) delete script;
    while (Stream* stream = streams_.pop_front()) delete stream;
    while (Flight* flight = flights_.pop_front()) delete flight;
    if (wake_fd_ >= 0) ::close(wake_fd_);
}

std::shared_ptr<World> World::standalone() {
    thread_local std::weak_ptr<World> shared;
    std::shared_ptr<World> world = shared.lock();
    if (!world) {
        world = std::make_shared<World>(seed_from_environment());
        world->short_transfers(0);
        world->add_host("localhost");
        shared = world;
    }
    return world;
}

// Hosts

Host& World::add_host(std::string_view name, const std::vector<std::string>& addresses) {
    if (names_.contains(name)) throw UsageError("there is a host or a name '" + std::string(name) + "' already");
    const std::size_t index = hosts_.size();
    std::vector<Address> own = literals(addresses);
    if (own.empty()) {
        const std::size_t number = index + 1;
        own = literals({"10." + std::to_string(number >> 16 & 255) + "." + std::to_string(number >> 8 & 255) + "."
                        + std::to_string(number & 255)});
    }
    for (const auto& other : hosts_) {
        for (const Address& address : own) {
            const auto& theirs = other->addresses();
            if (std::find(theirs.begin(), theirs.end(), address) != theirs.end()) {
                throw UsageError("host '" + other->name() + "' has the address " + address.host() + " already");
            }
        }
    }
    names_.emplace(name, own);
    hosts_.push_back(std::make_unique<Host>(*this, index, name, std::move(own)));
    return *hosts_.back();
}

Host& World::host(std::string_view name) {
    for (const auto& host : hosts_) {
        if (host->name() == name) return *host;
    }
    throw UsageError("there is no host '" + std::string(name) + "'");
}

void World::add_name(std::string_view name, const std::vector<std::string>& addresses) {
    if (!names_.emplace(name, literals(addresses)).second) {
        throw UsageError("there is a host or a name '" + std::string(name) + "' already");
    }
}

const std::vector<Address>* World::look_up(std::string_view name) const {
    static const std::vector<Address> itself = literals({"127.0.0.1", "::1"});
    if (name == "localhost") return &itself;
    const auto found = names_.find(name);
    return found == names_.end() ? nullptr : &found->second;
}

// Links

void World::default_link(const LinkOptions& options) noexcept {
    default_link_ = options;
    for (const auto& from : hosts_) {
        for (const auto& to : hosts_) {
            Path& path = from->path_to(to->index());
            if (!path.own_options) path.options = options;
        }
    }
}

void World::link(Host& a, Host& b, const LinkOptions& options) {
    one_way(a, b, options);
    one_way(b, a, options);
}

void World::one_way(Host& a, Host& b, const LinkOptions& options) {
    Path& path = a.path_to(b.index());
    path.options = options;
    path.own_options = true;
}

Path& World::path(Host& from, Host& to) {
    Path& path = from.path_to(to.index());
    if (!path.own_options) path.options = &from == &to ? loopback_ : default_link_;
    return path;
}

void World::partition(Host& a, Host& b) {
    if (tracing()) trace(a.name() + " and " + b.name() + " are parted");
    a.path_to(b.index()).cut = b.path_to(a.index()).cut = true;
}

void World::isolate(Host& host) {
    for (const auto& other : hosts_) {
        if (other.get() != &host) partition(host, *other);
    }
}

void World::heal() {
    if (tracing()) trace("the network heals");
    for (const auto& from : hosts_) {
        for (const auto& to : hosts_) from->path_to(to->index()).cut = false;
    }
}

Host* World::route(Host& from, const Address& address) noexcept {
    if (from.has_address(address)) return &from;
    const std::string literal = address.host();
    for (const auto& host : hosts_) {
        for (const Address& own : host->addresses()) {
            if (own.domain() == address.domain() && own.host() == literal) return host.get();
        }
    }
    return nullptr;
}

void World::own(Stream& stream) noexcept { streams_.push_back(stream); }
void World::own(Flight& flight) noexcept { flights_.push_back(flight); }
void World::own(SimBackend& backend) noexcept { backends_.push_back(backend); }

// Running

void World::at(Duration delay, Function<void()> f) {
    auto* script = new Script(std::move(f));
    scripts_.push_back(*script);
    timers_.arm(*script, saturating_add(now_, delay));
}

bool World::step() noexcept {
    if (woken_.load(std::memory_order_relaxed)) wake_backends();
    const TimePoint next = timers_.next_deadline();
    if (next == never) return false;
    now_ = std::max(now_, next);
    events_done_ += timers_.expire(next);
    return true;
}

bool World::programs_running() const noexcept {
    return std::any_of(hosts_.begin(), hosts_.end(), [](const auto& host) { return host->programs_running(); });
}

World::Outcome World::run_while(Function<bool()>* condition, Duration at_most) {
    const TimePoint end = saturating_add(now_, at_most);
    for (;;) {
        if (condition && (*condition)()) return Outcome::reached;
        if (!condition && !programs_running()) return Outcome::ended;
        if (!woken_.load(std::memory_order_relaxed)) {
            const TimePoint next = timers_.next_deadline();
            if (next == never) return condition && !programs_running() ? Outcome::ended : Outcome::stuck;
            if (next > end) {
                now_ = end;
                return Outcome::out_of_time;
            }
        }
        step();
    }
}

World::Outcome World::run(Duration at_most) { return run_while(nullptr, at_most); }

World::Outcome World::run_until(Function<bool()> condition, Duration at_most) { return run_while(&condition, at_most); }

World::Outcome World::end_programs(Duration patience) {
    for (const auto& host : hosts_) {
        if (host->is_up()) host->terminate();
    }
    const auto none_left = [this] {
        return std::none_of(hosts_.begin(), hosts_.end(), [](const auto& host) { return host->ghosts_running(); });
    };
    const Outcome outcome = run_until(none_left, patience);
    return outcome == Outcome::reached ? Outcome::ended : outcome;
}

void World::woken() noexcept {
    woken_.store(true);
    if (asleep_.load()) {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(wake_fd_, &one, sizeof one);
    }
}

void World::wake_backends() noexcept {
    woken_.store(false);
    backends_.for_each([](SimBackend& backend) { backend.look_at_wake(); });
}

void World::sleep_for_real() noexcept {
    if (__libc_single_threaded && !warned_) {
        warned_ = true;
        log(LogLevel::warn, "sim", "every program waits and nothing is under way; only a signal can change that");
    }
    if (wake_fd_ < 0) wake_fd_ = ::eventfd(0, EFD_CLOEXEC);
    asleep_.store(true);
    if (!woken_.load()) {
        std::uint64_t count = 0;
        [[maybe_unused]] const auto got = ::read(wake_fd_, &count, sizeof count);
    }
    asleep_.store(false);
}

void World::trace(std::string_view text) {
    char time[32];
    const auto nanoseconds = elapsed().count();
    std::snprintf(time, sizeof time, "%lld.%09lld ", static_cast<long long>(nanoseconds / 1'000'000'000),
                  static_cast<long long>(nanoseconds % 1'000'000'000));
    trace_(time + std::string(text));
}

}  // namespace lariat::sim
