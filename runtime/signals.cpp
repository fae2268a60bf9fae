// SPDX-License-Identifier: MIT
#include <lariat/runtime/signals.hpp>

#include <lariat/io/backend.hpp>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <mutex>

namespace lariat {

// What the signal handler knows of one catcher. Slots are used again and never freed, so that a handler on another
// thread may always look at them.
struct SignalCatcher::Slot {
    std::atomic<io::Backend*> backend{nullptr};  // null: nobody is to be woken
    std::atomic<int> handlers_inside{0};         // handlers that may still use `backend`
    std::atomic<bool> interrupt{false};
    std::atomic<bool> terminate{false};
    std::atomic<bool> report{false};

    std::atomic<bool>& flag(int signal) noexcept {
        return signal == SIGINT ? interrupt : signal == SIGTERM ? terminate : report;
    }
    bool used = false;     // guarded by the mutex of Handlers
    Slot* next = nullptr;  // unchanged once the slot can be seen
};

struct SignalCatcher::Handlers {
    static Handlers& instance() {
        static auto* const handlers = new Handlers;  // never destroyed: a signal may come while the process exits
        return *handlers;
    }

    static void caught(int signal) noexcept {
        const int saved_errno = errno;
        for (Slot* slot = slots.load(); slot; slot = slot->next) {
            slot->handlers_inside.fetch_add(1);
            if (io::Backend* backend = slot->backend.load()) {
                slot->flag(signal).store(true);
                backend->wake();
            }
            slot->handlers_inside.fetch_sub(1);
        }
        errno = saved_errno;
    }

    static bool is_ours(int signal) noexcept {
        struct sigaction present = {};
        return sigaction(signal, nullptr, &present) == 0 && present.sa_handler == caught;
    }

    // A program that handles or ignores the signal itself (a debugger, nohup, a shell's background job) means it.
    static bool is_default(int signal) noexcept {
        struct sigaction present = {};
        return sigaction(signal, nullptr, &present) == 0 && (present.sa_flags & SA_SIGINFO) == 0
               && present.sa_handler == SIG_DFL;
    }

    void install(int signal, struct sigaction& before) noexcept {
        struct sigaction action = {};
        action.sa_handler = caught;
        action.sa_flags = SA_RESTART;  // the loop is woken by the handler; system calls of other code need not notice
        sigemptyset(&action.sa_mask);
        sigaction(signal, &action, &before);
    }

    void install_all() noexcept {
        if (is_default(SIGINT)) install(SIGINT, interrupt_before);
        if (!is_ours(SIGTERM)) install(SIGTERM, terminate_before);
        if (is_default(SIGUSR1)) install(SIGUSR1, report_before);
    }

    // A handler that the program installed meanwhile stays.
    void restore_all() noexcept {
        if (is_ours(SIGINT)) sigaction(SIGINT, &interrupt_before, nullptr);
        if (is_ours(SIGTERM)) sigaction(SIGTERM, &terminate_before, nullptr);
        if (is_ours(SIGUSR1)) sigaction(SIGUSR1, &report_before, nullptr);
    }

    static std::atomic<Slot*> slots;

    std::mutex mutex;  // guards what follows
    int catchers = 0;
    struct sigaction interrupt_before = {};
    struct sigaction terminate_before = {};
    struct sigaction report_before = {};
};

std::atomic<SignalCatcher::Slot*> SignalCatcher::Handlers::slots{nullptr};

namespace {

static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<void*>::is_always_lock_free,
              "signal handlers may only use atomics that do not lock");

}  // namespace

SignalCatcher::SignalCatcher(io::Backend& backend)
    : slot_([]() -> Slot& {
          Handlers& handlers = Handlers::instance();
          const std::lock_guard lock(handlers.mutex);
          Slot* slot = Handlers::slots.load();
          while (slot && slot->used) slot = slot->next;
          if (!slot) {
              slot = new Slot;
              slot->next = Handlers::slots.load();
              Handlers::slots.store(slot);
          }
          slot->used = true;
          return *slot;
      }()) {
    Handlers& handlers = Handlers::instance();
    const std::lock_guard lock(handlers.mutex);
    slot_.interrupt.store(false);
    slot_.terminate.store(false);
    slot_.report.store(false);
    slot_.backend.store(&backend);
    ++handlers.catchers;
    handlers.install_all();
}

SignalCatcher::~SignalCatcher() {
    Handlers& handlers = Handlers::instance();
    const std::lock_guard lock(handlers.mutex);
    if (--handlers.catchers == 0) handlers.restore_all();
    slot_.backend.store(nullptr);
    // A handler on another thread that saw the backend is about to be through with it.
    while (slot_.handlers_inside.load() != 0) {}
    slot_.used = false;
}

int SignalCatcher::take() noexcept {
    // Reading is cheap, writing is not, and this is asked once per turn.
    if (slot_.interrupt.load(std::memory_order_relaxed) && slot_.interrupt.exchange(false)) return SIGINT;
    if (slot_.terminate.load(std::memory_order_relaxed) && slot_.terminate.exchange(false)) return SIGTERM;
    if (slot_.report.load(std::memory_order_relaxed) && slot_.report.exchange(false)) return SIGUSR1;
    return 0;
}

std::string_view SignalCatcher::name(int signal) noexcept {
    switch (signal) {
    case SIGINT: return "SIGINT";
    case SIGTERM: return "SIGTERM";
    case SIGUSR1: return "SIGUSR1";
    default: return "SIGKILL";
    }
}

}  // namespace lariat
