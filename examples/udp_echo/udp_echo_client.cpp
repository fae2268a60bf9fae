// SPDX-License-Identifier: MIT
// Sends three datagrams to a udp_echo_server, one after the other, and prints what comes back. Datagrams get lost, so
// what is not answered is sent again. usage: udp_echo_client ADDRESS:PORT
#include <lariat/lariat.hpp>

#include <array>
#include <cstdio>
#include <string>
#include <string_view>

using namespace lariat;
using namespace std::chrono_literals;

constexpr std::array<std::string_view, 3> sayings = {"Hello, world!", "What a fine day it is.", "Bye-bye!"};
constexpr Duration patience = 500ms;
constexpr int most_attempts = 6;

class EchoClient final : public DatagramProtocol {
public:
    EchoClient(Reactor& reactor, const Address& server) : reactor_(reactor), server_(server) {}

    void start_protocol() override {
        transport().connect(server_.host(), server_.port());
        send();
    }
    void stop_protocol() override { forget_timer(); }
    void datagram_received(Bytes datagram, const Address&) override {
        if (datagram.text() != sayings[next_]) return;  // a second answer to one that was sent twice
        std::printf("received: %s\n", datagram.str().c_str());
        attempts_ = 0;
        if (++next_ == sayings.size()) return finish();
        send();
    }
    void connection_refused() override { give_up("nobody listens there"); }

    [[nodiscard]] int status() const noexcept { return next_ == sayings.size() ? 0 : 1; }

private:
    void send() {
        forget_timer();
        if (++attempts_ > most_attempts) return give_up("no answer");
        again_ = reactor_.call_later(patience, [this] { send(); });
        transport().write(sayings[next_]);
    }
    void forget_timer() {
        if (again_.active()) again_.cancel();
    }
    void give_up(const char* why) {
        std::fprintf(stderr, "udp_echo_client: %s: %s\n", server_.str().c_str(), why);
        finish();
    }
    void finish() {
        forget_timer();
        transport().lose_connection();  // nothing is received any more
        reactor_.stop();
    }

    Reactor& reactor_;
    const Address server_;
    DelayedCall again_;
    std::size_t next_ = 0;
    int attempts_ = 0;
};

int main(int argc, char** argv) try {
    if (argc != 2) throw UsageError("expected one argument, the ADDRESS:PORT of a udp_echo_server");
    Reactor reactor;
    const Address server(argv[1]);
    const auto client = std::make_shared<EchoClient>(reactor, server);
    const bool is_ipv6 = server.family() == Address::Family::ipv6;
    reactor.listen_udp(0, client, UdpOptions().interface(is_ipv6 ? "::" : ""));
    reactor.run();
    return client->status();
} catch (const UsageError& error) {
    std::fprintf(stderr, "udp_echo_client: %s\n", error.what());
    return 2;
} catch (const Error& error) {
    std::fprintf(stderr, "udp_echo_client: %s\n", error.what());
    return 1;
}
