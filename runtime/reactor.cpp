// SPDX-License-Identifier: MIT
#include <lariat/runtime/reactor.hpp>

#include <lariat/io/backend.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/runtime/connection.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/runtime/reactor_impl.hpp>
#include <lariat/runtime/report.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <system_error>
#include <thread>

namespace lariat {
namespace {

thread_local Reactor* current_reactor = nullptr;

// What became ready while the ready queue ran is still run in this turn, up to this many: a chain of resumptions then
// costs no system call per link, and a task that never stops holds everybody else up for some tens of microseconds.
constexpr std::size_t ready_budget = 256;

// Completions handled before timers and calls from threads get their turn again.
constexpr std::size_t completion_budget = 512;

// What is written goes through chunks of this size; 16 of them fill one 64 KiB segment.
constexpr std::size_t transmit_chunk_size = 4096;
// 64 MiB; what is queued beyond that lives on the heap.
constexpr std::size_t transmit_chunk_limit = 16384;

io::BackendKind wanted_kind(const ReactorOptions& options) {
    return options.backend() ? *options.backend() : io::backend_kind_from_environment();
}

Duration stall_limit_from_environment() {
    const char* text = std::getenv("LARIAT_STALL_MS");
    if (!text || !*text) return Duration::zero();
    int milliseconds = 0;
    const char* const end = text + std::strlen(text);
    const auto [stopped, error] = std::from_chars(text, end, milliseconds);
    if (error != std::errc() || stopped != end || milliseconds < 1)
        throw UsageError("LARIAT_STALL_MS=" + std::string(text) + ": it must be a number of milliseconds, 1 or more");
    return std::chrono::milliseconds(milliseconds);
}

struct ThreadCall final : Mail {
    explicit ThreadCall(Function<void()> f) noexcept : Mail(&run, &drop), function(std::move(f)) {}

    static void run(Mail& mail) noexcept {
        const std::unique_ptr<ThreadCall> call(static_cast<ThreadCall*>(&mail));
        guarded("while calling from thread", [&] { call->function(); });
    }
    static void drop(Mail& mail) noexcept { delete static_cast<ThreadCall*>(&mail); }

    Function<void()> function;
};

}  // namespace

// Makes a reactor the current one while a call of it is going on.
class Reactor::Impl::Entered {
public:
    explicit Entered(Reactor& reactor) noexcept
        : outer_(std::exchange(current_reactor, &reactor)), sender_(&reactor.impl_->sender) {
        reactor.impl_->owner.store(std::this_thread::get_id(), std::memory_order_relaxed);
    }
    Entered(const Entered&) = delete;
    Entered& operator=(const Entered&) = delete;
    ~Entered() { current_reactor = outer_; }

private:
    Reactor* outer_;
    SendingAs sender_;
};

std::uint64_t Reactor::Impl::loop_number(const io::Tape* tape) noexcept {
    static constinit std::atomic<std::uint64_t> unrecorded{0};
    return tape ? tape->number() + 1 : TapedMail::unrecorded_loops + unrecorded.fetch_add(1, std::memory_order_relaxed);
}

Reactor* Reactor::current() noexcept { return current_reactor; }

Reactor::Reactor(const ReactorOptions& options)
    : Reactor(io::make_backend(wanted_kind(options), options.backend_options())) {
    impl_->stall_limit = options.stall_limit() ? *options.stall_limit() : stall_limit_from_environment();
}

Reactor::Reactor(std::unique_ptr<io::Backend> backend)
    : backend_(std::move(backend)),
      transmit_pool_(&io::BufferPool::create(transmit_chunk_size, transmit_chunk_limit)),
      impl_(std::make_unique<Impl>(*backend_, timers_, mailbox_)) {}

Reactor::~Reactor() {
    LARIAT_CHECK(!impl_->started, "a Reactor was destroyed inside its own run()");
    const Impl::Entered entered(*this);
    drain();
}

// Running

int Reactor::run(bool install_signal_handlers) {
    if (impl_->started) throw ReactorAlreadyRunning();
    const Impl::Entered entered(*this);
    impl_->started = true;
    impl_->stopped = impl_->just_stopped = impl_->must_not_block = false;
    impl_->wants_signals = install_signal_handlers && !shares_process() && !impl_->replays();
    ++impl_->generation;
    exit_signal_ = 0;
    if (impl_->stall_limit > Duration::zero() && !shares_process() && !impl_->replays())
        impl_->stalls = std::make_unique<StallDetector>(impl_->stall_limit);
    begin_startup();
    while (impl_->started) turn(never);
    impl_->stopped = true;
    impl_->stalls.reset();
    impl_->signals.reset();
    log(LogLevel::info, "reactor", "Main loop terminated.");
    return 0;
}

void Reactor::iterate(Duration delay) {
    const Impl::Entered entered(*this);
    turn(saturating_add(backend_->now(), delay));
}

void Reactor::stop() {
    if (impl_->owner.load(std::memory_order_relaxed) != std::this_thread::get_id()) {
        call_from_thread([this] {
            if (!impl_->stopped) stop();
        });
        return;
    }
    if (impl_->stopped) throw ReactorNotRunning();
    impl_->stopped = impl_->just_stopped = true;
}

void Reactor::crash() {
    impl_->started = false;
    impl_->must_not_block = true;
    running_ = false;
}

// One turn

void Reactor::turn(TimePoint wait_until) noexcept {
    turn_time_ = TimePoint::min();
    take_signals();
    run_mail();
    run_ready();
    if (!timers_.empty()) timers_.expire(backend_->now());
    if (impl_->just_stopped) {
        impl_->just_stopped = false;
        begin_shutdown();
    }
    if (impl_->closing_hold) finish_closing();
    impl_->watches.sync();
    flush_dirty();
    wait(wait_until);
    impl_->must_not_block = false;
    turn_time_ = TimePoint::min();
    backend_->dispatch(completion_budget);
}

void Reactor::run_mail() noexcept {
    if (impl_->taped_mail) {
        impl_->taped_mail->run();
    } else {
        mailbox_.run_all();
    }
}

void Reactor::run_ready() noexcept {
    if (ready_.empty()) return;
    // Everything in front of the fence was scheduled before this turn. An iterate() from inside shares the fence.
    Ready& fence = impl_->fence;
    if (!fence.is_scheduled()) ready_.push_back(fence);
    while (fence.is_scheduled()) ready_.pop_front()->run();
    for (std::size_t left = ready_budget; left > 0 && !ready_.empty(); --left) ready_.pop_front()->run();
}

void Reactor::flush_dirty() noexcept {
    IntrusiveList<Connection, DirtyTag> dirty;  // what gets dirty meanwhile is for the next turn
    dirty.append(impl_->dirty);
    while (Connection* connection = dirty.pop_front()) connection->flush();
}

void Reactor::wait(TimePoint until) noexcept {
    TimePoint deadline = TimePoint::min();
    if (!work_is_pending()) deadline = std::min(until, timers_.next_deadline());
    if (deadline != TimePoint::min()) {
        if (impl_->tape) impl_->tape->deadline(deadline);
        const bool mail_waits = impl_->taped_mail && !impl_->taped_mail->empty();
        if (mail_waits || !mailbox_.begin_sleep()) deadline = TimePoint::min();
    }
    current_reactor = nullptr;  // on a simulated network others run on this thread meanwhile
    const SendingAs nobody(nullptr);
    if (impl_->stalls) impl_->stalls->turn_ends();
    backend_->wait(deadline);
    if (impl_->stalls) impl_->stalls->turn_begins();
    current_reactor = this;
    mailbox_.end_sleep();
}

bool Reactor::work_is_pending() const noexcept {
    const bool mail = impl_->taped_mail ? impl_->taped_mail->has_own() : !mailbox_.empty();
    return !ready_.empty() || mail || backend_->has_completions() || !impl_->dirty.empty()
           || impl_->watches.needs_sync() || impl_->just_stopped || impl_->must_not_block;
}

bool Reactor::shares_process() const noexcept { return impl_->simulation && impl_->simulation->shares_process(); }

void Reactor::take_signals() {
    if (impl_->signals || impl_->replays()) {
        while (const int signal = next_signal()) {
            if (signal == SIGUSR1) {
                log_report();
            } else {
                stop_for(signal);
            }
        }
    }
    // A simulated host ends its programs, those too that would not catch the signal: there is no process to kill.
    if (impl_->simulation && impl_->started) {
        if (const int signal = impl_->simulation->take_signal()) stop_for(signal);
    }
}

int Reactor::next_signal() noexcept {
    const int caught = impl_->signals ? impl_->signals->take() : 0;
    return impl_->tape ? impl_->tape->signal(caught) : caught;
}

void Reactor::stop_for(int signal) {
    std::string text = "Received ";
    text.append(SignalCatcher::name(signal)).append(", shutting down.");
    log(LogLevel::info, "reactor", text);
    exit_signal_ = signal;
    if (!impl_->stopped) stop();
}

// Calls

SystemEvents::Trigger Reactor::call_when_running(Function<void()> f) {
    if (!running_) return add_system_event_trigger(Phase::after, "startup", std::move(f));
    f();
    return {};
}

DelayedCall Reactor::call_later(Duration delay, Function<void()> f, const std::source_location& where) {
    return impl_->calls->call_later(delay, std::move(f), where);
}

std::vector<DelayedCall> Reactor::delayed_calls() const { return impl_->calls->pending(); }

void Reactor::call_from_thread(Function<void()> f) {
    const SendingAs as(impl_->sender_here());
    post(*new ThreadCall(std::move(f)));
}

double Reactor::seconds() const noexcept { return std::chrono::duration<double>(now().time_since_epoch()).count(); }

// Descriptors and connections

void Reactor::add_reader(FileDescriptor& descriptor) { impl_->watches.add(descriptor, &detail::Watch::reading); }
void Reactor::add_writer(FileDescriptor& descriptor) { impl_->watches.add(descriptor, &detail::Watch::writing); }
void Reactor::remove_reader(FileDescriptor& descriptor) { impl_->watches.remove(descriptor, &detail::Watch::reading); }
void Reactor::remove_writer(FileDescriptor& descriptor) { impl_->watches.remove(descriptor, &detail::Watch::writing); }
std::vector<FileDescriptor*> Reactor::remove_all() { return impl_->watches.remove_all(); }
std::vector<FileDescriptor*> Reactor::readers() const { return impl_->watches.watched(&detail::Watch::reading); }
std::vector<FileDescriptor*> Reactor::writers() const { return impl_->watches.watched(&detail::Watch::writing); }

void Reactor::mark_dirty(Connection& connection) noexcept {
    if (!static_cast<ListHook<DirtyTag>&>(connection).is_linked()) impl_->dirty.push_back(connection);
}

void Reactor::register_connection(Connection& connection) noexcept { impl_->connections.push_back(connection); }

std::vector<const Connection*> Reactor::connections() const {
    std::vector<const Connection*> found;
    impl_->connections.for_each([&](const Connection& each) { found.push_back(&each); });
    impl_->closing_connections.for_each([&](const Connection& each) { found.push_back(&each); });
    return found;
}

void Reactor::add_shutdown_listener(ShutdownListener& listener) noexcept { impl_->listeners.push_back(listener); }

int Reactor::open_socket(int domain, int type) noexcept {
    return impl_->is_ending ? -ESHUTDOWN : backend_->open_socket(domain, type);
}

}  // namespace lariat
