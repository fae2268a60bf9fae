// SPDX-License-Identifier: MIT
// Reactor: the loop. It runs what is ready, expires timers, sends what was written, waits once, and runs what
// completed. An ordinary object: several may live in one process, one per thread; run() may be called again after it
// returned.
//
// Threads: everything belongs to the thread that runs it, except call_from_thread(), stop() and post(), which any
// thread may call. Errors: what escapes a user's callback is logged and ends nothing but that callback's own business.
#pragma once

#include <lariat/io/address.hpp>
#include <lariat/io/base/clock.hpp>
#include <lariat/io/base/function.hpp>
#include <lariat/io/base/timer_queue.hpp>
#include <lariat/io/buffer_pool.hpp>
#include <lariat/io/make_backend.hpp>
#include <lariat/runtime/delayed_call.hpp>
#include <lariat/runtime/mailbox.hpp>
#include <lariat/runtime/ready.hpp>
#include <lariat/runtime/system_events.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lariat {

template <class T>
class Deferred;
class ClientFactory;
class Connection;
class ConnectOptions;
class Connector;
class DatagramProtocol;
class Factory;
class FileDescriptor;
class ListenOptions;
class NameResolver;
class Port;
class Resolver;
class ShutdownListener;
class TcpObserver;
class ThreadPool;
class UdpOptions;
class UdpPort;

/// How a Reactor is made. The default asks LARIAT_BACKEND and takes the best backend this kernel allows.
class ReactorOptions {
public:
    ReactorOptions& backend(io::BackendKind kind) noexcept { return kind_ = kind, *this; }
    ReactorOptions& backend_options(const io::BackendOptions& options) noexcept {
        return backend_options_ = options, *this;
    }

    /// Logs where the loop is when a callback or a task holds it for longer than this, while it does; see
    /// runtime/stall_detector.hpp. Without it the environment decides: LARIAT_STALL_MS=100. Takes a thread; not on
    /// simulated networks.
    ReactorOptions& stall_limit(Duration limit) noexcept { return stall_limit_ = limit, *this; }

    [[nodiscard]] std::optional<io::BackendKind> backend() const noexcept { return kind_; }
    [[nodiscard]] const io::BackendOptions& backend_options() const noexcept { return backend_options_; }
    [[nodiscard]] std::optional<Duration> stall_limit() const noexcept { return stall_limit_; }

private:
    std::optional<io::BackendKind> kind_;
    std::optional<Duration> stall_limit_;
    io::BackendOptions backend_options_;
};

class Reactor {
public:
    /// Errors: UsageError when LARIAT_BACKEND is unknown or names a backend that cannot be had, or LARIAT_STALL_MS is
    /// no time.
    explicit Reactor(const ReactorOptions& options = {});
    /// A reactor on a backend made elsewhere: a simulated or a fault-injecting one.
    explicit Reactor(std::unique_ptr<io::Backend> backend);
    Reactor(const Reactor&) = delete;
    Reactor& operator=(const Reactor&) = delete;
    /// Closes what is still open, waits for the kernel to let go of it, and drops timers and calls that did not run.
    ~Reactor();

    /// Runs until stop(). Returns 0, so that `return reactor.run();` ends main.
    ///
    /// With `install_signal_handlers`, SIGINT and SIGTERM stop it and SIGUSR1 logs report(); SIGINT and SIGUSR1 unless
    /// the program handles them itself. The handlers before are restored at the end. Unlike Twisted's, a reactor may
    /// run again after it was stopped: timers, listening ports and connections made since then go on. Errors:
    /// ReactorAlreadyRunning.
    int run(bool install_signal_handlers = true);
    /// Asks run() to return: "shutdown" fires behind the timers of this turn. Its phase `during` disconnects everything
    /// that is open with ConnectionLost; `after`, and then the return of run(), wait until all of it is closed.
    ///
    /// From any thread. Errors, on the reactor's own thread: ReactorNotRunning when it is not running or was stopped
    /// already; elsewhere such a call does nothing.
    void stop();
    /// Leaves run() at once: no shutdown triggers, nothing is disconnected. run() may be called again.
    void crash();
    /// One turn by hand, waiting at most `delay` for events. Does not need run().
    void iterate(Duration delay = Duration::zero());
    /// True from "during startup" until "during shutdown".
    [[nodiscard]] bool running() const noexcept { return running_; }
    /// The signal that stopped the last run(), 0 when none did.
    [[nodiscard]] int exit_signal() const noexcept { return exit_signal_; }

    /// The reactor whose run() or iterate() the calling thread is in; null outside.
    [[nodiscard]] static Reactor* current() noexcept;

    /// Calls `f` now when running, else after "startup".
    /// If it was queued, returns a trigger for remove_system_event_trigger().
    SystemEvents::Trigger call_when_running(Function<void()> f);
    /// Calls `f` from the loop once `delay` has passed; never from inside this call. Equal times run in the order they
    /// were asked for. Errors: UsageError for a negative delay.
    DelayedCall call_later(Duration delay, Function<void()> f,
                           const std::source_location& where = std::source_location::current());
    /// The calls that are pending, in no particular order.
    [[nodiscard]] std::vector<DelayedCall> delayed_calls() const;
    /// Calls `f` on the reactor's thread, in the order of the calls. From any thread; wakes the loop when it sleeps.
    void call_from_thread(Function<void()> f);

    /// `event` is "startup", "shutdown" or a name of the user's own, see fire_system_event(). `f` may return a Deferred
    /// (anything with add_both); a before-trigger that does delays the next phase until it has fired.
    template <class F>
    SystemEvents::Trigger add_system_event_trigger(Phase phase, std::string_view event, F f) {
        return events_.add(phase, event, SystemEvents::adapt(std::move(f)));
    }
    /// Errors: UsageError when the trigger has run or was removed.
    void remove_system_event_trigger(const SystemEvents::Trigger& trigger) { events_.remove(trigger); }
    /// Firing "startup" or "shutdown" by hand also does what the reactor itself does then.
    void fire_system_event(std::string_view event);

    /// Runs `f` in a thread of the pool. What escapes it is logged.
    void call_in_thread(Function<void()> f);
    /// Made with its first use; at most 10 threads unless suggest_thread_pool_size() says otherwise; ended in shutdown.
    ThreadPool& thread_pool();
    void suggest_thread_pool_size(unsigned threads);
    /// Names to addresses.
    Resolver& resolver();
    /// One IPv4 address of `name`, as text. IP literals, and "" as "0.0.0.0", are answered at once. `timeout` is the
    /// sum of Twisted's attempts. Cancelling the Deferred cancels the lookup. Errors: DNSLookupError. (Implemented by
    /// the layer coro: include `<lariat/coro/deferred.hpp>` to use it.)
    Deferred<std::string> resolve(std::string_view name, Duration timeout = std::chrono::seconds(60));
    /// Replaces what looks names up, for tests or for a name service of one's own; returns the one before.
    std::shared_ptr<NameResolver> install_name_resolver(std::shared_ptr<NameResolver> replacement);

    /// Watches a descriptor of the user's. Adding twice is one watch; removing what is not watched does nothing.
    /// Lifetime: `descriptor` must live until it is removed or destroyed, which removes it.
    void add_reader(FileDescriptor& descriptor);
    void add_writer(FileDescriptor& descriptor);
    void remove_reader(FileDescriptor& descriptor);
    void remove_writer(FileDescriptor& descriptor);
    /// Stops watching all of them and returns them.
    std::vector<FileDescriptor*> remove_all();
    [[nodiscard]] std::vector<FileDescriptor*> readers() const;
    [[nodiscard]] std::vector<FileDescriptor*> writers() const;

    /// Monotonic time, read from the backend now.
    [[nodiscard]] TimePoint now() const noexcept { return backend_->now(); }
    /// The same in seconds; only differences mean something.
    [[nodiscard]] double seconds() const noexcept;
    /// now() as it was when this turn of the loop first asked for it: a cheap stamp.
    [[nodiscard]] TimePoint turn_time() noexcept {
        if (turn_time_ == TimePoint::min()) turn_time_ = now();
        return turn_time_;
    }
    /// What it has to do, for a person to read: connections, delayed calls, descriptors, and every task (see
    /// dump_tasks()). SIGUSR1 logs it, see run(). On the reactor's thread.
    [[nodiscard]] std::string report();

    /// Listens for TCP connections and builds a protocol for each with `factory`; synchronously, also before run().
    /// Port 0 lets the kernel choose. Errors: CannotListenError. (Implemented by the layer proto.)
    std::shared_ptr<Port> listen_tcp(std::uint16_t port, std::shared_ptr<Factory> factory);
    std::shared_ptr<Port> listen_tcp(std::uint16_t port, std::shared_ptr<Factory> factory,
                                     const ListenOptions& options);
    /// The same on a duplicate of `descriptor`, a TCP socket that listens already. Stopping the port does not disturb
    /// other holders of the socket. Errors: CannotListenError. (Implemented by the layer proto.)
    std::shared_ptr<Port> adopt_stream_port(int descriptor, std::shared_ptr<Factory> factory);
    /// Connects to `host`, a name or an IP literal; the attempt begins in the next turn. Failures arrive at
    /// `factory->client_connection_failed`. (Implemented by the layer proto.)
    std::shared_ptr<Connector> connect_tcp(std::string_view host, std::uint16_t port,
                                           std::shared_ptr<ClientFactory> factory);
    std::shared_ptr<Connector> connect_tcp(std::string_view host, std::uint16_t port,
                                           std::shared_ptr<ClientFactory> factory, const ConnectOptions& options);
    /// The same with the name of a TCP service, such as "http". Errors: ServiceNameUnknownError, before anything else.
    std::shared_ptr<Connector> connect_tcp(std::string_view host, std::string_view service,
                                           std::shared_ptr<ClientFactory> factory);
    std::shared_ptr<Connector> connect_tcp(std::string_view host, std::string_view service,
                                           std::shared_ptr<ClientFactory> factory, const ConnectOptions& options);

    /// Binds a UDP socket, synchronously, also before run(), and puts `protocol` on it. Port 0 lets the kernel choose.
    /// Errors: CannotListenError, InvalidAddressError when the interface is no IP literal, what start_protocol()
    /// throws. (Implemented by the layer proto.)
    std::shared_ptr<UdpPort> listen_udp(std::uint16_t port, std::shared_ptr<DatagramProtocol> protocol);
    std::shared_ptr<UdpPort> listen_udp(std::uint16_t port, std::shared_ptr<DatagramProtocol> protocol,
                                        const UdpOptions& options);
    /// The same: every UdpPort may join groups. For ports of Twisted programs.
    std::shared_ptr<UdpPort> listen_multicast(std::uint16_t port, std::shared_ptr<DatagramProtocol> protocol);
    std::shared_ptr<UdpPort> listen_multicast(std::uint16_t port, std::shared_ptr<DatagramProtocol> protocol,
                                              const UdpOptions& options);
    /// The same on a duplicate of `descriptor`, a UDP socket that is bound already. Stopping the port does not disturb
    /// other holders of the socket. Errors: CannotListenError. (Implemented by the layer proto.)
    std::shared_ptr<UdpPort> adopt_datagram_port(int descriptor, std::shared_ptr<DatagramProtocol> protocol,
                                                 std::size_t max_packet_size = 65535);

    /// Tells `observer` of every TCP connection that is about to be tried and every port that is about to listen; null
    /// ends it. Lifetime: `observer` must outlive the reactor or be replaced. For tests.
    void set_tcp_observer(TcpObserver* observer) noexcept { tcp_observer_ = observer; }
    [[nodiscard]] TcpObserver* tcp_observer() const noexcept { return tcp_observer_; }
    /// The connections that are open, in no particular order.
    [[nodiscard]] std::vector<const Connection*> connections() const;

    /// For lariat's own layers.
    [[nodiscard]] io::Backend& backend() noexcept { return *backend_; }
    /// Other programs of a simulated network share the process: its signals are not this reactor's.
    [[nodiscard]] bool shares_process() const noexcept;
    [[nodiscard]] TimerQueue& timers() noexcept { return timers_; }
    /// Runs `ready` from the loop, in the order of the calls: in this turn or the next one.
    void schedule(Ready& ready) noexcept { ready_.push_back(ready); }
    /// The intrusive, allocation-free form of call_from_thread(). From any thread.
    void post(Mail& mail) noexcept {
        if (mailbox_.post(mail)) backend_->wake();
    }
    /// What was given to call_in_thread() so far; the number of the last piece.
    [[nodiscard]] std::uint64_t pieces_of_work() const noexcept;
    /// Memory for what connections have to send.
    [[nodiscard]] io::BufferPool& transmit_pool() noexcept { return *transmit_pool_; }
    /// Sends what `connection` has queued at the end of this turn.
    void mark_dirty(Connection& connection) noexcept;
    /// Every open connection, so that shutdown reaches those that are neither read nor written.
    void register_connection(Connection& connection) noexcept;
    /// Tells `listener` when the reactor shuts down or dies.
    void add_shutdown_listener(ShutdownListener& listener) noexcept;
    /// A socket of the backend's for what is to listen, connect or receive. -ESHUTDOWN while the reactor is being
    /// destroyed: nobody would close it any more.
    int open_socket(int domain, int type) noexcept;

private:
    struct Impl;  // the parts most programs never use

    void turn(TimePoint wait_until) noexcept;
    void run_mail() noexcept;
    void drop_mail() noexcept;
    void run_ready() noexcept;
    void flush_dirty() noexcept;
    void take_signals();
    [[nodiscard]] int next_signal() noexcept;
    void log_report() noexcept;
    void stop_for(int signal);
    void wait(TimePoint until) noexcept;
    [[nodiscard]] bool work_is_pending() const noexcept;
    void begin_startup();
    void begin_shutdown();
    void close_everything() noexcept;
    void finish_closing() noexcept;
    void stop_thread_pool(SystemEvents::Hold hold);
    void drain() noexcept;

    std::unique_ptr<io::Backend> backend_;
    TimerQueue timers_;
    ReadyQueue ready_;
    Mailbox mailbox_;
    SystemEvents events_;
    io::BufferPoolPtr transmit_pool_;
    std::unique_ptr<Impl> impl_;  // never null
    TcpObserver* tcp_observer_ = nullptr;
    TimePoint turn_time_ = TimePoint::min();  // until the turn asks
    int exit_signal_ = 0;
    bool running_ = false;
};

}  // namespace lariat
