// SPDX-License-Identifier: MIT
// World: a whole network in one process, with virtual time and one seed. Hosts have names and addresses and run
// programs, each on a stack of its own, that use lariat as they would on a real network: a Reactor made in a program
// has that host's simulated backend. Time jumps to the next event when every program waits. Everything that could
// happen in more than one way is drawn from the seed, so a seed is a run, byte for byte.
//
//     World world(seed);
//     Host& server = world.add_host("server", {"10.0.0.1"});
//     Host& client = world.add_host("client", {"10.0.0.2"});
//     server.start("echo", [] { return run(serve("10.0.0.1:7")); });
//     client.start("ask", [] { return run(ask("10.0.0.1:7")); });
//     world.at(2s, [&] { world.partition(server, client); });
//     world.at(9s, [&] { world.heal(); });
//     CHECK(world.run(1min) == World::Outcome::ended);
//
// Threads: a World and all of its programs belong to one thread. A program must not wait for another thread: time
// stands still meanwhile, and the run is not the seed's any more.
#pragma once

#include <lariat/io/address.hpp>
#include <lariat/io/base/clock.hpp>
#include <lariat/io/base/function.hpp>
#include <lariat/io/base/intrusive_list.hpp>
#include <lariat/io/base/random.hpp>
#include <lariat/io/base/timer_queue.hpp>
#include <lariat/io/sim/host.hpp>
#include <lariat/io/sim/link.hpp>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lariat::sim {

class Flight;
class SimBackend;
class Stream;

class World {
public:
    enum class Outcome : std::uint8_t {
        ended,        ///< every program has returned, but for those of crashed hosts
        stuck,        ///< programs wait, and nothing will ever happen
        out_of_time,  ///< the limit was reached first
        reached,      ///< the condition of run_until() holds
    };

    explicit World(std::uint64_t seed);
    World(const World&) = delete;
    World& operator=(const World&) = delete;
    /// Every program must have ended or never begun; see end_programs().
    ~World();

    /// A host; without addresses it gets one of 10.0.0.0/8 of its own. Errors: UsageError for a name or an address that
    /// is taken, or that is no IP literal.
    Host& add_host(std::string_view name, const std::vector<std::string>& addresses = {});
    /// Errors: UsageError when there is none.
    Host& host(std::string_view name);
    [[nodiscard]] const std::vector<std::unique_ptr<Host>>& hosts() const noexcept { return hosts_; }
    /// Further names for addresses. A host's own name is known already.
    void add_name(std::string_view name, const std::vector<std::string>& addresses);

    /// Between hosts that link() does not name, and from a host to itself.
    void default_link(const LinkOptions& options) noexcept;
    void loopback(const LinkOptions& options) noexcept { loopback_ = options; }
    /// Sends that travel in two segments and receives that get less than there is, of 1000 each. TCP promises neither
    /// more nor less; what a program makes of it is worth seeing.
    void short_transfers(unsigned per_mille) noexcept { short_transfers_ = per_mille; }
    /// Both directions; one_way() sets the direction from `a` to `b` alone.
    void link(Host& a, Host& b, const LinkOptions& options);
    void one_way(Host& a, Host& b, const LinkOptions& options);
    /// Nothing gets through in either direction; connections retransmit until it heals or they time out.
    void partition(Host& a, Host& b);
    /// `host` from all others.
    void isolate(Host& host);
    /// Ends every partition.
    void heal();

    /// Calls `f` after `delay`, outside of any program: for scripts of faults and for checks.
    void at(Duration delay, Function<void()> f);
    /// Runs until every program has ended, nothing can happen any more, or `at_most` of virtual time has passed.
    Outcome run(Duration at_most = std::chrono::hours(24 * 365));
    /// The same, or until `condition()` holds; it is asked after each event.
    Outcome run_until(Function<bool()> condition, Duration at_most = std::chrono::hours(24 * 365));
    /// Asks every program to end, as SIGTERM would, and runs until they have, or `patience` is over.
    Outcome end_programs(Duration patience = std::chrono::hours(1));

    [[nodiscard]] TimePoint now() const noexcept { return now_; }
    /// Virtual time since the World was made.
    [[nodiscard]] Duration elapsed() const noexcept { return now_ - epoch; }
    [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }
    /// Events that have happened.
    [[nodiscard]] std::uint64_t events() const noexcept { return events_done_; }
    /// Gets one line, without its end, per segment that arrives and per change of a host: two runs of one seed give the
    /// same lines. An empty function ends it.
    void trace_to(Function<void(std::string_view)> sink) { trace_ = std::move(sink); }

    /// The World of programs that run on LARIAT_BACKEND=sim without one: one host called "localhost", the seed from
    /// LARIAT_SIM_SEED (1 when unset), no short transfers. Shared by all who hold it in one thread. Errors: UsageError
    /// for a bad seed.
    static std::shared_ptr<World> standalone();

    /// For the parts of the simulation.
    [[nodiscard]] unsigned short_transfers() const noexcept { return short_transfers_; }
    [[nodiscard]] TimerQueue& timers() noexcept { return timers_; }
    [[nodiscard]] Random& random() noexcept { return random_; }
    [[nodiscard]] Path& path(Host& from, Host& to);
    /// The host that `address` leads to from `from`; null when there is none.
    [[nodiscard]] Host* route(Host& from, const Address& address) noexcept;
    /// The addresses of a name, without ports; null when nobody has it.
    [[nodiscard]] const std::vector<Address>* look_up(std::string_view name) const;
    void own(Stream& stream) noexcept;
    void own(Flight& flight) noexcept;
    void own(SimBackend& backend) noexcept;
    /// Lets the next thing happen; false when there is nothing.
    bool step() noexcept;
    /// Nothing is under way: blocks until another thread or a signal handler wakes one of the backends.
    void sleep_for_real() noexcept;
    /// From any thread and from signal handlers: one of the backends was woken.
    void woken() noexcept;
    [[nodiscard]] bool tracing() const noexcept { return static_cast<bool>(trace_); }
    /// "12.000345678 `text`".
    void trace(std::string_view text);

private:
    static constexpr TimePoint epoch{std::chrono::hours(1)};

    struct Script;

    [[nodiscard]] bool programs_running() const noexcept;
    Outcome run_while(Function<bool()>* condition, Duration at_most);
    void wake_backends() noexcept;

    std::uint64_t seed_;
    Random random_;
    TimePoint now_ = epoch;
    TimerQueue timers_;
    std::uint64_t events_done_ = 0;
    LinkOptions default_link_;
    LinkOptions loopback_;
    unsigned short_transfers_ = 50;
    std::vector<std::unique_ptr<Host>> hosts_;
    std::map<std::string, std::vector<Address>, std::less<>> names_;
    IntrusiveList<Script> scripts_;
    IntrusiveList<Stream> streams_;
    IntrusiveList<Flight> flights_;
    IntrusiveList<SimBackend> backends_;
    std::atomic<bool> woken_{false};
    std::atomic<bool> asleep_{false};
    int wake_fd_ = -1;  // made with the first real sleep
    bool warned_ = false;
    Function<void(std::string_view)> trace_;
};

}  // namespace lariat::sim
