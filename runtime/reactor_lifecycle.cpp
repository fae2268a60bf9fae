// SPDX-License-Identifier: MIT
// Startup, shutdown and death of a Reactor, and what belongs to its life: the thread pool and the resolver.
#include <lariat/io/backend.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/runtime/reactor.hpp>
#include <lariat/runtime/reactor_impl.hpp>
#include <lariat/runtime/report.hpp>

#include <atomic>
#include <cerrno>

namespace lariat {
namespace {

// What a Connection takes for "lost", with the most fitting text the system has.
constexpr int lost_in_shutdown = ESHUTDOWN;

// As Twisted's reactor: no thread until there is work, and few enough for a pool that all of a program shares.
constexpr unsigned pool_minimum = 0;
constexpr unsigned pool_maximum = 10;

}  // namespace

void Reactor::fire_system_event(std::string_view event) {
    if (event == "startup") {
        begin_startup();
    } else if (event == "shutdown") {
        begin_shutdown();
    } else {
        events_.fire(event);
    }
}

void Reactor::begin_startup() {
    SystemEvents::Steps steps;
    steps.during_first = [this](SystemEvents::Hold) {
        running_ = true;
        if (impl_->wants_signals) impl_->signals = std::make_unique<SignalCatcher>(*backend_);
    };
    steps.during_last = [this](SystemEvents::Hold) {
        impl_->threads_wanted = true;
        if (impl_->pool) impl_->pool->start();
    };
    events_.fire("startup", std::move(steps));
}

void Reactor::begin_shutdown() {
    SystemEvents::Steps steps;
    const std::uint64_t generation = impl_->generation;
    steps.during_first = [this](SystemEvents::Hold hold) {
        running_ = false;
        flush_dirty();  // what was written before stop() still leaves
        impl_->closing_hold = std::move(hold);
        close_everything();
    };
    steps.during_last = [this](SystemEvents::Hold hold) { stop_thread_pool(std::move(hold)); };
    steps.finished = [this, generation] {
        if (generation == impl_->generation) crash();
    };
    events_.fire("shutdown", std::move(steps));
}

void Reactor::close_everything() noexcept {
    for (FileDescriptor* descriptor : impl_->watches.remove_all()) {
        guarded("Unhandled Error", [&] { descriptor->connection_lost(ConnectionLost()); });
    }
    IntrusiveList<ShutdownListener, ShutdownTag> told;  // one that registers anew while it is told is not told again
    told.append(impl_->listeners);
    while (ShutdownListener* listener = told.pop_front()) {
        impl_->closing_listeners.push_back(*listener);
        listener->reactor_stopping();
    }
    while (Connection* connection = impl_->connections.pop_front()) {
        impl_->closing_connections.push_back(*connection);
        connection->disconnect(lost_in_shutdown);
    }
}

// Ends the wait of "during shutdown" when everything is closed, or when nothing is under way that could close the rest.
void Reactor::finish_closing() noexcept {
    const bool all_closed = impl_->closing_connections.empty() && impl_->closing_listeners.empty();
    if (!all_closed && (backend_->ledger().operations > 0 || work_is_pending())) return;
    impl_->connections.append(impl_->closing_connections);
    impl_->listeners.append(impl_->closing_listeners);
    impl_->closing_hold.release();
}

// Other threads may wait for calls from this one to be made, so the loop turns until they have ended.
void Reactor::stop_thread_pool(SystemEvents::Hold hold) {
    impl_->threads_wanted = false;
    if (!impl_->pool) return;
    impl_->pool_hold = std::move(hold);
    const bool ends_later = impl_->pool->begin_stop([this] {
        call_from_thread([this] {
            impl_->pool->stop();
            impl_->pool_hold.release();
        });
    });
    if (!ends_later) {
        impl_->pool->stop();
        impl_->pool_hold.release();
    }
}

ThreadPool& Reactor::thread_pool() {
    if (!impl_->pool) {
        impl_->pool = std::make_unique<ThreadPool>(pool_minimum, pool_maximum);
        if (impl_->simulation) {
            impl_->pool->simulate([this](Function<void()> work) {
                impl_->calls->call_later(impl_->simulation->draw_delay(), std::move(work));
            });
        }
        if (impl_->threads_wanted) impl_->pool->start();
    }
    return *impl_->pool;
}

void Reactor::call_in_thread(Function<void()> f) {
    const SendingAs as(impl_->sender_here());
    // What was taken back when this was recorded had not begun then; the pool gets something to do all the same.
    if (sender_context == &impl_->sender && impl_->replays() && !impl_->simulation
        && impl_->tape->is_withdrawn(pieces_of_work() + 1))
        impl_->withheld_work.push_back(std::exchange(f, [] {}));
    thread_pool().call_in_thread(std::move(f));
}

std::uint64_t Reactor::pieces_of_work() const noexcept { return impl_->sender.pieces_of_work; }

void Reactor::suggest_thread_pool_size(unsigned threads) {
    ThreadPool& pool = thread_pool();
    pool.adjust_size(std::min(pool.minimum(), threads), threads);
}

Resolver& Reactor::resolver() {
    if (!impl_->resolver) impl_->resolver = std::make_unique<Resolver>(*this);
    return *impl_->resolver;
}

std::shared_ptr<NameResolver> Reactor::install_name_resolver(std::shared_ptr<NameResolver> replacement) {
    return resolver().install(std::move(replacement));
}

// The end of the reactor. Nothing is called any more but the ends of connections and of listeners.
void Reactor::drain() noexcept {
    if (impl_->pool) {
        // A thread may wait for a call from this one; dropping the call lets it go.
        std::atomic<bool> ended{false};
        if (impl_->pool->begin_stop([this, &ended] {
                ended.store(true);
                backend_->wake();
            })) {
            while (!ended.load()) {
                drop_mail();
                if (mailbox_.begin_sleep() && !ended.load()) backend_->wait(never);
                mailbox_.end_sleep();
            }
        }
        impl_->pool->stop();
    }
    impl_->withheld_work.clear();
    impl_->resolver.reset();
    impl_->calls.reset(&DelayedCalls::create(*backend_, timers_));  // for calls that are asked for now and never made
    impl_->is_ending = true;

    impl_->connections.append(impl_->closing_connections);
    impl_->listeners.append(impl_->closing_listeners);
    impl_->watches.cancel_all();
    while (ShutdownListener* listener = impl_->listeners.pop_front()) {
        impl_->closing_listeners.push_back(*listener);
        listener->reactor_stopping();
    }
    while (Connection* connection = impl_->connections.pop_front()) {
        impl_->closing_connections.push_back(*connection);
        connection->disconnect(lost_in_shutdown);
    }
    for (;;) {
        if (backend_->ledger().operations > 0 || !impl_->closing_connections.empty()) {
            run_ready();
            flush_dirty();
            wait(never);
            backend_->dispatch(~std::size_t{0});
        } else if (!impl_->closing_listeners.empty() && !ready_.empty()) {
            run_ready();  // one that had nothing in flight closes from here
        } else {
            break;
        }
    }
    drop_mail();
}

void Reactor::drop_mail() noexcept {
    if (impl_->taped_mail) {
        impl_->taped_mail->drop();
    } else {
        mailbox_.drop_all();
    }
}

}  // namespace lariat
