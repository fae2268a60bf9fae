// SPDX-License-Identifier: MIT
// Opens, uses and closes a great many connections in one process, thousands at a time, on every backend, and then asks
// the ledger whether anything is left: an operation, a descriptor, a buffer; and counts the objects on the heap.
//
//   connection_churn [TOTAL [AT_ONCE]]     both ends live here: each connection takes two descriptors
#include <lariat/io/base/error.hpp>
#include <lariat/runtime/acceptor.hpp>
#include <lariat/runtime/connect_attempt.hpp>
#include <lariat/runtime/connection.hpp>
#include <lariat/runtime/reactor.hpp>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <sys/resource.h>
#include <vector>

using namespace lariat;

namespace {

// Objects on the heap. The allocator's own figures would count what it keeps for later as in use.
std::size_t live_objects = 0;

}  // namespace

// Not inlined: compilers then see malloc and delete meet, and warn.
[[gnu::noinline]] void* operator new(std::size_t size) {
    void* memory = std::malloc(size);
    if (!memory) throw std::bad_alloc();
    ++live_objects;
    return memory;
}
// Without this one a sanitizer's would be called, whose memory the delete below must not free.
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    void* memory = std::malloc(size);
    if (memory) ++live_objects;
    return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
    if (memory) --live_objects;
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }

namespace {

struct Churn;

// Sends back what it gets and ends when the peer does.
struct EchoUser final : ConnectionUser {
    EchoUser(Churn& owner, int fd);
    void received(Buffer data) override { connection->write(std::move(data)); }
    void ended() override { connection->close(); }
    void drained() override {}
    void closed(int error) override;

    Churn& churn;
    Connection* connection;
};

// Sends its number, waits for the whole echo, closes.
struct Client final : ConnectionUser {
    Client(Churn& owner, std::size_t number_);
    void connected(int result);
    void received(Buffer data) override;
    void ended() override { connection->disconnect(EPIPE); }
    void drained() override {}
    void closed(int error) override;

    Churn& churn;
    std::string message;
    std::string echo;
    ConnectAttempt attempt;
    Connection* connection = nullptr;
};

struct Churn {
    Churn(io::BackendKind kind, std::size_t total_, std::size_t at_once_)
        : reactor(ReactorOptions().backend(kind)),
          acceptor(
              reactor,
              [this](int fd) {
                  ++servers;
                  ++accepted;
                  new EchoUser(*this, fd);
              },
              [this](int error) { failed(error); }),
          total(total_),
          at_once(at_once_) {}

    void start_more() {
        // A listening socket's queue holds 4096 at most, and what it drops may be reset later. A connection counts
        // until its server has ended, which is after its client.
        for (int step = 0;
             step < 256 && started < total && started - accepted < 2048 && live < at_once && started - ended < at_once;
             ++step) {
            ++live;
            new Client(*this, started++);
        }
        if (started < total) reactor.call_later(Duration::zero(), [this] { start_more(); });
        if (live > most_live) most_live = live;
    }
    void client_ended() {
        --live;
        check_end();
    }
    void server_ended() {
        --servers;
        ++ended;
        check_end();
    }
    void failed(int error) {
        if (++failures == 1) std::printf("the first failure: %s\n", errno_text(error < 0 ? -error : error).c_str());
    }
    void check_end() {
        if (started == total && live == 0 && servers == 0) acceptor.close([this] { reactor.stop(); });
    }

    bool run() {
        if (acceptor.listen(Address::any_ipv4(0), ListenOptions().backlog(4096)) != 0) return false;
        port = acceptor.local_address().port();
        acceptor.start();
        start_more();
        reactor.run();
        const io::Ledger left = reactor.backend().ledger();
        const std::size_t timers = reactor.timers().size();
        std::printf("%s: %zu connections, at most %zu at once; %zu echoed, %zu failed; left over: %zu operations, "
                    "%zu descriptors, %zu buffers, %zu sending, %zu timers\n",
                    std::string(reactor.backend().name()).c_str(), total, most_live, echoed, failures, left.operations,
                    left.descriptors, left.buffers, reactor.transmit_pool().outstanding(), timers);
        return echoed == total && failures == 0 && left.operations == 0 && left.descriptors == 0 && left.buffers == 0
               && reactor.transmit_pool().outstanding() == 0 && timers == 0;
    }

    Reactor reactor;
    Acceptor acceptor;
    // A closed connection's addresses rest for a while (TIME_WAIT); many loopback addresses have enough ports for all.
    [[nodiscard]] Address address_for(std::size_t number) const {
        return *Address::from_host("127.0.0." + std::to_string(1 + number % 100), port);
    }
    std::uint16_t port = 0;
    std::size_t total, at_once;
    std::size_t started = 0, accepted = 0, ended = 0, live = 0, servers = 0, most_live = 0, echoed = 0, failures = 0;
};

EchoUser::EchoUser(Churn& owner, int fd) : churn(owner), connection(&Connection::create(churn.reactor, fd, *this)) {
    connection->start_reading();
}

void EchoUser::closed(int) {
    churn.server_ended();
    delete this;
}

Client::Client(Churn& owner, std::size_t number)
    : churn(owner), message("connection number " + std::to_string(number) + std::string(number % 200, '.')) {
    const int result =
        attempt.start(churn.reactor, churn.address_for(number), std::nullopt, [this](int fd) { connected(fd); });
    if (result < 0) connected(result);
}

void Client::connected(int result) {
    if (result < 0) {
        churn.failed(result);
        ++churn.accepted;  // it never will be
        ++churn.ended;
        churn.client_ended();
        delete this;
        return;
    }
    connection = &Connection::create(churn.reactor, result, *this);
    connection->start_reading();
    connection->write(message);
}

void Client::received(Buffer data) {
    echo += data.text();
    if (echo == message) {
        ++churn.echoed;
        connection->close();
    } else if (echo.size() >= message.size()) {
        connection->abort();
    }
}

void Client::closed(int error) {
    if (error != 0) churn.failed(error);
    churn.client_ended();
    delete this;
}

bool run_on(io::BackendKind kind, std::size_t total, std::size_t at_once) {
    if (kind == io::BackendKind::uring) {
        if (const auto why = io::why_no_uring()) {
            std::printf("uring: skipped: %s\n", why->c_str());
            return true;
        }
    }
    // The first round makes what the process makes once; the second must leave the heap as it found it.
    if (!Churn(kind, at_once, at_once).run()) return false;
    const std::size_t before = live_objects;
    if (!Churn(kind, total, at_once).run()) return false;
    std::printf("heap: %zu objects before, %zu after\n", before, live_objects);
    return live_objects <= before;
}

}  // namespace

int main(int argc, char** argv) {
    const std::size_t total = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 100'000;
    std::size_t at_once = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 9'000;
    rlimit files = {};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    const std::size_t possible = (files.rlim_cur - 64) / 2;
    if (at_once > possible) {
        std::printf("only %zu at once: this process may open %zu descriptors\n", possible,
                    static_cast<std::size_t>(files.rlim_cur));
        at_once = possible;
    }
    const bool good = run_on(io::BackendKind::epoll, total, at_once) && run_on(io::BackendKind::uring, total, at_once);
    return good ? 0 : 1;
}
