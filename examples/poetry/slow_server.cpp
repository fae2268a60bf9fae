// SPDX-License-Identifier: MIT
// slow_server FILE: sends a poem a few bytes at a time to everyone who connects, each client at its own place
// in it.
#include "poem.hpp"
#include "program.hpp"
#include <lariat/lariat.hpp>

#include <functional>

namespace {

using namespace lariat;

class SlowPoetry : public Protocol, public HalfCloseableProtocol {
public:
    SlowPoetry(Reactor& reactor, Bytes poem, std::size_t bytes, Duration delay)
        : reactor_(reactor), rest_(poem), bytes_(bytes), delay_(delay) {}

    void connection_made() override { send_some(); }
    // The timer refers to this object, which may be gone after the connection is.
    void connection_lost(const Failure&) override {
        if (next_.active()) next_.cancel();
    }

    // A client that has nothing to say (nc -N) ends its direction at once and still gets the poem.
    void read_connection_lost() override {}
    void write_connection_lost() override {}

private:
    void send_some() {
        transport().write(rest_.first(bytes_));
        rest_ = rest_.skip(bytes_);
        if (rest_.empty()) {
            transport().lose_connection();
        } else {
            next_ = reactor_.call_later(delay_, [this] { send_some(); });
        }
    }

    Reactor& reactor_;
    Bytes rest_;
    std::size_t bytes_;
    Duration delay_;
    DelayedCall next_;
};

}  // namespace

int main(int argc, char** argv) try {
    const auto options = poetry::parse_slow_server("slow_server", argc, argv);
    const std::string poem = poetry::read_poem(options.file);
    Reactor reactor(options.reactor);
    const auto factory = factory_for<SlowPoetry>(std::ref(reactor), Bytes(poem), options.bytes, options.delay);
    const auto port = reactor.listen_tcp(options.port, factory, ListenOptions().interface(options.iface));
    return poetry::serve(reactor, options.file, port->host());
} catch (...) {
    return poetry::report_error("slow_server");
}
