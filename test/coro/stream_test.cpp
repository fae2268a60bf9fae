// SPDX-License-Identifier: MIT
// TcpStream over a socket.
#include <lariat/coro/tcp_stream.hpp>
#include <lariat/test/support/coro_world.hpp>

namespace lariat {
namespace {

using test::connected;

}  // namespace
}  // namespace lariat

#include <lariat/test/support/stream_behaviours.hpp>

#include <unistd.h>

namespace lariat {
namespace {

// A plain socket that nobody reads until the reactor is shutting down.
class SilentPeer {
public:
    explicit SilentPeer(Reactor& reactor) : reactor_(reactor) {}
    void read_all(int fd) {
        char block[65536];
        for (ssize_t got = 0; (got = ::read(fd, block, sizeof block)) != 0;) {
            if (got > 0) total_ += static_cast<std::size_t>(got);
            if (got < 0) {
                again_ = reactor_.call_later(soon, [this, fd] { read_all(fd); });
                return;
            }
        }
        reactor_.backend().close(fd);
        ended_ = true;
    }
    [[nodiscard]] std::size_t total() const noexcept { return total_; }
    [[nodiscard]] bool has_ended() const noexcept { return ended_; }

private:
    Reactor& reactor_;
    DelayedCall again_;
    std::size_t total_ = 0;
    bool ended_ = false;
};
Task<> leaves_much_unsent(SilentPeer& peer, Acceptor& acceptor, int& accepted, std::size_t& written) {
    TcpStream stream = co_await connect(acceptor.local_address());
    while (accepted < 0) co_await yield();
    const std::string block(4 * 1024 * 1024, 'x');
    try {
        co_await stream.write(block).within(soon);
    } catch (const TimedOut&) {
        written = block.size();
    }
    Reactor::current()->call_later(5 * soon, [&peer, fd = accepted] { peer.read_all(fd); });
}
LARIAT_KERNEL_TEST_CASE("what a destroyed stream had written leaves before the reactor shuts down") {
    Reactor reactor(ReactorOptions().backend(backend_kind));
    SilentPeer peer(reactor);
    int accepted = -1;
    std::size_t written = 0;
    Acceptor acceptor(reactor, [&](int fd) { accepted = fd; }, [](int) {});
    REQUIRE(acceptor.listen(Address::loopback(0), {}) == 0);
    acceptor.start();
    CHECK(run(reactor, leaves_much_unsent(peer, acceptor, accepted, written)) == 0);
    CHECK(written > 0);
    while (!peer.has_ended()) reactor.iterate(soon);
    CHECK(peer.total() == written);
}

}  // namespace
}  // namespace lariat
