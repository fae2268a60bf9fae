// SPDX-License-Identifier: MIT
// What a simulated network does to connections: handshakes, refusals, windows, resets, partitions, crashes, and how
// long each takes in virtual time.
#include <lariat/test/support/sim_network.hpp>

#include <doctest/doctest.h>

#include <sys/socket.h>
#include <vector>

namespace lariat {
namespace {

using namespace lariat::test;
using namespace std::chrono_literals;
using Outcome = sim::World::Outcome;
using doctest::Approx;

Task<std::string> exchange(std::string host, std::string text) {
    TcpStream stream = co_await connect(std::move(host), 7);
    co_await stream.write(text);
    stream.shutdown_write();
    std::string got;
    while (Buffer data = co_await stream.read_some()) got += data.text();
    co_return got;
}

Task<std::string> only_connect(Address to) {
    TcpStream stream = co_await connect(to);
    co_return "connected to " + stream.peer_address().str();
}

TEST_CASE("sim: an echo takes a handshake and a round trip") {
    TwoHosts hosts;
    hosts.serve(echo_all);
    CHECK(hosts.ask(exchange, "10.0.0.1", "hello") == "hello");
    CHECK(hosts.seconds() == Approx(4 * 0.010).epsilon(0.01));
    hosts.world.run();
    CHECK(hosts.client.status("ask") == 0);
    CHECK_FALSE(hosts.server.status("serve").has_value());
}

TEST_CASE("sim: hosts know each other by name, and no others") {
    TwoHosts hosts;
    hosts.world.add_name("echo.example", {"10.0.0.9", "10.0.0.1"});
    hosts.serve(echo_all);
    CHECK(hosts.ask(exchange, "server", "by name") == "by name");
    CHECK(hosts.ask(exchange, "echo.example", "the second address") == "the second address");
    CHECK(hosts.ask(exchange, "nobody.example", "").find("DNSLookupError: DNS lookup failed: ") == 0);
}

TEST_CASE("sim: a port that nobody listens on refuses within a round trip") {
    TwoHosts hosts;
    CHECK(hosts.ask(only_connect, Address("10.0.0.1:7"))
          == "ConnectionRefused: Connection was refused by other side: 111: Connection refused.");
    CHECK(hosts.seconds() == Approx(0.020).epsilon(0.01));
}

TEST_CASE("sim: an address without a host is unreachable after three seconds") {
    TwoHosts hosts;
    CHECK(hosts.ask(only_connect, Address("10.9.9.9:7")).find("No route to host") != std::string::npos);
    CHECK(hosts.seconds() == Approx(3).epsilon(0.01));
}

TEST_CASE("sim: connecting over a partition gives up after 127 seconds, as tcp_syn_retries says") {
    TwoHosts hosts;
    hosts.serve(echo_all);
    hosts.world.partition(hosts.server, hosts.client);
    CHECK(hosts.ask(only_connect, Address("10.0.0.1:7")).find("TcpTimedOutError: ") == 0);
    CHECK(hosts.seconds() == Approx(127).epsilon(0.01));
}

TEST_CASE("sim: what was sent during a partition arrives after it") {
    TwoHosts hosts;
    hosts.serve(echo_all);
    hosts.world.at(15ms, [&] { hosts.world.partition(hosts.server, hosts.client); });
    hosts.world.at(30s, [&] { hosts.world.heal(); });
    CHECK(hosts.ask(exchange, "10.0.0.1", "patience") == "patience");
    CHECK(hosts.seconds() > 30);
    CHECK(hosts.seconds() < 90);  // pauses between retransmissions double
}

Task<std::string> send_for_ever(Address to) {
    TcpStream stream = co_await connect(to);
    for (;;) {
        co_await stream.write("still there?");
        co_await sleep(1s);
    }
}

TEST_CASE("sim: a partition that stays ends a connection that sends after 15 retries") {
    TwoHosts hosts;
    hosts.serve(echo_all);
    hosts.world.at(5s, [&] { hosts.world.partition(hosts.server, hosts.client); });
    CHECK(hosts.ask(send_for_ever, Address("10.0.0.1:7")).find("Connection timed out") != std::string::npos);
    CHECK(hosts.seconds() == Approx(5 + 925).epsilon(0.1));
}

Task<std::string> read_to_the_end(Address to) {
    TcpStream stream = co_await connect(to);
    std::string got;
    while (Buffer data = co_await stream.read_some()) got += data.text();
    co_return "the end after: " + got;
}

TEST_CASE("sim: a crash is silent; after the restart the first bytes are answered with a reset") {
    TwoHosts hosts;
    hosts.serve(echo_all);
    const std::string& reader = hosts.begin(read_to_the_end, Address("10.0.0.1:7"));
    hosts.world.at(2500ms, [&] { hosts.server.crash(); });
    hosts.world.at(10s, [&] { hosts.server.restart(); });
    const std::string sender = hosts.ask(send_for_ever, Address("10.0.0.1:7"));
    CHECK(sender.find("Connection reset by peer") != std::string::npos);
    CHECK(hosts.seconds() > 10);
    CHECK(hosts.seconds() < 30);
    CHECK(reader == "nothing yet");  // it sends nothing, so nobody tells it
    CHECK(hosts.ask(exchange, "10.0.0.1", "back again") == "back again");
}

Task<std::string> fill_the_window(Address to) {
    TcpStream stream = co_await connect(to);
    co_await stream.write(std::string(1'000'000, 'x'));
    co_return "everything has left";
}
Task<> never_read(TcpStream peer) {
    co_await sleep(24h);
    peer.abort();
}

TEST_CASE("sim: who waits for room in a window asks, and hears of a crash after the restart") {
    TwoHosts hosts;
    hosts.serve(never_read);
    hosts.world.at(10s, [&] { hosts.server.crash(); });
    hosts.world.at(20s, [&] { hosts.server.restart(); });
    CHECK(hosts.ask(fill_the_window, Address("10.0.0.1:7")).find("Connection reset by peer") != std::string::npos);
    CHECK(hosts.seconds() > 20);
    CHECK(hosts.seconds() < 40);
}

TEST_CASE("sim: who waits for room in the window of a host that stays dead gives up after 15 probes") {
    TwoHosts hosts;
    hosts.serve(never_read);
    hosts.world.at(10s, [&] { hosts.server.crash(); });
    CHECK(hosts.ask(fill_the_window, Address("10.0.0.1:7")).find("timed out") != std::string::npos);
    CHECK(hosts.seconds() == Approx(10 + 925).epsilon(0.1));
}

TEST_CASE("sim: the programs of a crashed host end without a network, and their memory with them") {
    TwoHosts hosts;
    const auto alive = std::make_shared<int>(0);
    hosts.serve([](TcpStream peer, std::shared_ptr<int>) -> Task<> { co_await echo_all(std::move(peer)); }, alive);
    hosts.world.at(1s, [&] { hosts.server.crash(); });
    hosts.begin(read_to_the_end, Address("10.0.0.1:7"));
    hosts.world.run_until([&] { return hosts.seconds() > 0.5; });
    const long with_connection = alive.use_count();
    CHECK(hosts.world.run(2s) == Outcome::out_of_time);
    CHECK(alive.use_count() < with_connection);
    CHECK_FALSE(hosts.server.ghosts_running());
    CHECK_FALSE(hosts.server.is_up());
}

Task<std::string> read_with_patience(Address to) {
    TcpStream stream = co_await connect(to);
    while (Buffer data = co_await stream.read_some().within(an_hour)) {}
    co_return "the end";
}

TEST_CASE("sim: an hour of within() passes without an hour") {
    TwoHosts hosts;
    hosts.serve(echo_all);
    hosts.world.at(1s, [&] { hosts.world.isolate(hosts.server); });
    CHECK(hosts.ask(read_with_patience, Address("10.0.0.1:7")).find("TimedOut: ") == 0);
    CHECK(hosts.seconds() == Approx(3600).epsilon(0.001));
    hosts.world.heal();
}

Task<> take_nothing() {
    Listener listener("10.0.0.1:7", ListenOptions().backlog(1));
    co_await sleep(60s);
    for (int i = 0; i < 4; ++i) {
        TcpStream peer = co_await listener.accept();
        co_await peer.write("welcome");
    }
}

TEST_CASE("sim: a full backlog makes callers wait until somebody is accepted") {
    TwoHosts hosts;
    hosts.server.start("late", [] { return run(take_nothing()); });
    std::vector<const std::string*> outcomes;
    for (int i = 0; i < 4; ++i) outcomes.push_back(&hosts.begin(read_to_the_end, Address("10.0.0.1:7")));
    hosts.world.run_until([&] { return hosts.seconds() > 59; });
    for (const std::string* outcome : outcomes) CHECK(*outcome == "nothing yet");
    CHECK(hosts.world.run(10min) == Outcome::ended);
    for (const std::string* outcome : outcomes) CHECK(*outcome == "the end after: welcome");
}

TEST_CASE("sim: a host without descriptors turns clients away, keeps those it has, and takes new ones again") {
    TwoHosts hosts;
    hosts.server.descriptor_limit(3);  // the listener, its reserve and one connection
    hosts.serve(echo_all);
    const std::string& first = hosts.begin(send_for_ever, Address("10.0.0.1:7"));
    hosts.world.run_until([&] { return hosts.seconds() > 1; });
    CHECK(hosts.ask(read_to_the_end, Address("10.0.0.1:7")) == "the end after: ");
    hosts.server.descriptor_limit(4);
    CHECK(hosts.world.run(10s) == Outcome::out_of_time);
    CHECK(hosts.ask(exchange, "10.0.0.1", "me too") == "me too");
    CHECK(first == "nothing yet");
}

Task<std::string> download(Address from, std::size_t size) {
    TcpStream stream = co_await connect(from);
    std::size_t got = 0;
    while (Buffer data = co_await stream.read_some()) got += data.size();
    co_return got == size ? "all" : std::to_string(got);
}

Task<> upload(TcpStream peer, std::size_t size) {
    const std::string block(16 * 1024, 'x');
    for (std::size_t sent = 0; sent < size; sent += block.size()) co_await peer.write(block);
}

TEST_CASE("sim: bandwidth is what all connections of a link share") {
    TwoHosts hosts;
    constexpr std::size_t megabyte = 1024 * 1024;
    hosts.world.link(hosts.server, hosts.client, sim::LinkOptions().latency(1ms).jitter(0ms).bandwidth(megabyte));
    hosts.serve(upload, megabyte);
    const std::string& other = hosts.begin(download, Address("10.0.0.1:7"), megabyte);
    CHECK(hosts.ask(download, Address("10.0.0.1:7"), megabyte) == "all");
    CHECK(hosts.world.run_until([&] { return other != "nothing yet"; }) == Outcome::reached);
    CHECK(other == "all");
    CHECK(hosts.seconds() == Approx(2).epsilon(0.05));
}

TEST_CASE("sim: what is under way is no more than the buffers of both ends hold") {
    TwoHosts hosts;
    hosts.server.socket_buffers(1500);
    hosts.client.socket_buffers(500);
    hosts.serve(upload, std::size_t{163'840});
    CHECK(hosts.ask(download, Address("10.0.0.1:7"), std::size_t{163'840}) == "all");
    CHECK(hosts.seconds() == Approx(163.84 / 2 * 0.020).epsilon(0.05));  // a round trip for each 2000 bytes
}

TEST_CASE("sim: lost segments come late, never wrong") {
    TwoHosts hosts;
    hosts.world.default_link(sim::LinkOptions().latency(1ms).loss(200));
    hosts.world.short_transfers(500);
    hosts.serve(echo_all);
    std::string text;
    for (int i = 0; i < 20'000; ++i) text += std::to_string(i) + ",";
    CHECK(hosts.ask(exchange, "10.0.0.1", text) == text);
    CHECK(hosts.seconds() > 0.2);  // at least one retransmission
}

Task<std::string> aborts(Address to) {
    TcpStream stream = co_await connect(to);
    co_await stream.write("never mind");
    co_await sleep(1s);
    stream.abort();
    co_return "aborted";
}

TEST_CASE("sim: an abort reaches the peer as a reset, after what it had got") {
    std::string end;
    TwoHosts hosts;
    hosts.serve(
        [](TcpStream peer, std::string* log) -> Task<> {
            try {
                while (Buffer data = co_await peer.read_some()) *log += std::string(data.text()) + " ";
            } catch (const ConnectionLost& lost) {
                *log += lost.what();
            }
        },
        &end);
    CHECK(hosts.ask(aborts, Address("10.0.0.1:7")) == "aborted");
    CHECK(hosts.world.run(1s) == Outcome::stuck);  // the server waits for clients, and there are none
    CHECK(end.find("never mind Connection to the other side was lost in a non-clean fashion") == 0);
    CHECK(end.find("reset") != std::string::npos);
}

Task<std::string> over_a_path() {
    Listener listener(*Address::from_path("/run/echo"));
    TcpStream a = co_await connect(listener.local_address());
    TcpStream b = co_await listener.accept();
    co_await a.write("within the host");
    co_return std::string((co_await b.read_exactly(15)).text());
}

TEST_CASE("sim: UNIX sockets are a host's own") {
    TwoHosts hosts;
    CHECK(hosts.ask(over_a_path) == "within the host");
    CHECK(hosts.ask(only_connect, *Address::from_path("/run/echo")).find("No such file") != std::string::npos);
}

Task<std::string> nap(Duration how_long) {
    const TimePoint begin = Reactor::current()->now();
    co_await sleep(how_long);
    co_return std::to_string(std::chrono::round<std::chrono::seconds>(Reactor::current()->now() - begin).count())
        + " s";
}

TEST_CASE("sim: a fast clock's timers come early, by its own measure on time") {
    TwoHosts hosts;
    hosts.client.skew(1h, 100'000);  // ten per cent too fast
    CHECK(hosts.ask(nap, 11s) == "11 s");
    CHECK(hosts.seconds() == Approx(10).epsilon(0.001));
}

TEST_CASE("sim: work in threads is done in virtual time, its results come to the loop") {
    int result = 0;
    TwoHosts hosts;
    hosts.client.start("work", [&] {
        Reactor reactor;
        reactor.call_when_running([&] {
            reactor.call_in_thread([&] {
                reactor.call_from_thread([&] {
                    result = 42;
                    reactor.stop();
                });
            });
        });
        return reactor.run();
    });
    CHECK(hosts.world.run() == Outcome::ended);
    CHECK(result == 42);
}

TEST_CASE("sim: terminate() ends programs as SIGTERM does") {
    TwoHosts hosts;
    hosts.serve(echo_all);
    hosts.world.at(1s, [&] { hosts.server.terminate(); });
    CHECK(hosts.world.run() == Outcome::ended);
    CHECK(hosts.server.status("serve") == 0);
    CHECK(hosts.seconds() == Approx(1).epsilon(0.001));
}

TEST_CASE("sim: what a program left open is closed when it ends") {
    TwoHosts hosts;
    hosts.server.start("careless", [] {
        Reactor reactor;
        io::Backend& backend = reactor.backend();
        const int fd = backend.open_socket(AF_INET, SOCK_STREAM);
        CHECK(backend.bind(fd, Address("10.0.0.1:7")) == 0);
        CHECK(backend.listen(fd, 1) == 0);
        return 0;
    });
    hosts.world.run(1s);
    CHECK(hosts.ask(only_connect, Address("10.0.0.1:7")).find("ConnectionRefused: ") == 0);
}

TEST_CASE("sim: programs that wait for each other for ever are stuck, and the world says so") {
    TwoHosts hosts;
    hosts.serve(echo_all);
    const std::string& outcome = hosts.begin(read_to_the_end, Address("10.0.0.1:7"));
    CHECK(hosts.world.run() == Outcome::stuck);
    CHECK(outcome == "nothing yet");
}

TEST_CASE("sim: an exception that leaves a program is its status, not the world's end") {
    TwoHosts hosts;
    hosts.client.start("throws", []() -> int { throw UsageError("no more"); });
    CHECK(hosts.world.run() == Outcome::ended);
    CHECK(hosts.client.status("throws") == 1);
}

TEST_CASE("sim: wrong names and addresses are refused with what was wrong") {
    TwoHosts hosts;
    CHECK_THROWS_WITH_AS(hosts.world.add_host("server"), "there is a host or a name 'server' already", UsageError);
    CHECK_THROWS_WITH_AS(hosts.world.add_host("other", {"10.0.0.1"}), "host 'server' has the address 10.0.0.1 already",
                         UsageError);
    CHECK_THROWS_WITH_AS(hosts.world.add_host("other", {"ten"}), "'ten' is no IP literal", UsageError);
    CHECK_THROWS_WITH_AS(hosts.world.host("nobody"), "there is no host 'nobody'", UsageError);
    hosts.server.crash();
    CHECK_THROWS_WITH_AS(hosts.server.start("more", [] { return 0; }),
                         "host 'server' is down; restart() it before starting programs", UsageError);
}

}  // namespace
}  // namespace lariat
