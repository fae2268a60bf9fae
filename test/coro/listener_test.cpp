// SPDX-License-Identifier: MIT
#include <lariat/coro/listener.hpp>

#include <lariat/coro/connect.hpp>
#include <lariat/io/base/log.hpp>
#include <lariat/test/support/coro_world.hpp>

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

namespace lariat {
namespace {

using namespace literals;
using test::record;
using test::run_on;
using test::settle;

Task<std::string> accept(Listener& listener) {
    TcpStream peer = co_await listener.accept();
    co_return peer.peer_address().host();
}
Task<std::string> accept_soon(Listener& listener) {
    TcpStream peer = co_await listener.accept().within(1ms);
    co_return peer.peer_address().host();
}
Task<std::string> connect_to(Address address) {
    TcpStream stream = co_await connect(address);
    co_return stream.peer_address().str();
}
Task<std::string> connect_by_name(std::string host, std::uint16_t port) {
    TcpStream stream = co_await connect(std::move(host), port);
    co_return stream.peer_address().str();
}
Task<std::string> outcome_of(Task<std::string> task) {
    std::string outcome;
    co_await record(outcome, std::move(task));
    co_return outcome;
}
Task<std::string> after_cancel(Task<std::string> task) {
    try {
        co_await sleep(test::an_hour);
    } catch (const Cancelled&) {}
    co_return co_await std::move(task);
}

Task<> accepts() {
    Listener listener(Address::loopback(0));
    CHECK(listener.local_address().port() != 0);
    TcpStream one = co_await connect(listener.local_address());
    TcpStream two = co_await connect("127.0.0.1", listener.local_address().port());
    TcpStream a = co_await listener.accept();
    TcpStream b = co_await listener.accept();
    CHECK(a.peer_address() == one.local_address());
    CHECK(b.peer_address() == two.local_address());
}
LARIAT_BACKEND_TEST_CASE("connections are accepted in the order they were made") { run_on(backend_kind, accepts); }

Task<> cannot_listen() {
    Listener listener(Address::loopback(0));
    std::string caught;
    try {
        const Listener second(listener.local_address());
    } catch (const CannotListenError& error) {
        caught = error.what();
    }
    CHECK(caught.find("Address already in use") != std::string::npos);
    co_return;
}
LARIAT_BACKEND_TEST_CASE("a port that is taken raises CannotListenError at once") {
    run_on(backend_kind, cannot_listen);
}

Task<> cancel_accept() {
    Listener listener(Address::loopback(0));
    std::string outcome;
    JoinHandle<> acceptor = spawn(record, std::ref(outcome), accept(listener));
    co_await settle();
    acceptor.cancel();
    co_await acceptor;
    CHECK(outcome == "Cancelled: requested");
    CHECK(co_await outcome_of(accept_soon(listener)) == "TimedOut: accept timed out after 1 ms");

    TcpStream stream = co_await connect(listener.local_address());
    acceptor = spawn(record, std::ref(outcome), after_cancel(accept(listener)));
    acceptor.cancel();
    co_await acceptor;
    CHECK(outcome == "Cancelled: requested");
    CHECK(co_await accept(listener) == "127.0.0.1");  // the connection was not lost
}
LARIAT_BACKEND_TEST_CASE("accept() can be cancelled and timed out, and loses no connection") {
    run_on(backend_kind, cancel_accept);
}

Task<std::string> accept_twice(Listener& listener, std::string& first) {
    first = co_await accept(listener);
    co_return co_await accept(listener);
}
Task<> accepted_then_cancelled() {
    Listener listener(Address::loopback(0));
    std::string first, second;
    const JoinHandle<> acceptor = spawn(record, std::ref(second), accept_twice(listener, first));
    TcpStream stream = co_await connect(listener.local_address());
    while (first.empty()) co_await yield();
    acceptor.cancel();
    co_await acceptor;
    CHECK(first == "127.0.0.1");
    CHECK(second == "Cancelled: requested");
}
LARIAT_BACKEND_TEST_CASE("an accept that succeeded delivers, the next one sees the cancellation") {
    run_on(backend_kind, accepted_then_cancelled);
}

Task<> close_listener() {
    Listener listener(Address::loopback(0));
    const Address address = listener.local_address();
    std::string outcome;
    const JoinHandle<> acceptor = spawn(record, std::ref(outcome), accept(listener));
    listener.close();
    listener.close();
    CHECK(outcome == "nothing yet");
    co_await acceptor;
    CHECK(outcome == "ListenerClosed: the listener is closed");
    CHECK(co_await outcome_of(accept(listener)) == "ListenerClosed: the listener is closed");
    CHECK(listener.local_address() == Address());
    co_await settle();
    CHECK((co_await outcome_of(connect_to(address))).starts_with("ConnectionRefused: "));
}
LARIAT_BACKEND_TEST_CASE("close() ends a waiting accept() and refuses connections") {
    run_on(backend_kind, close_listener);
}

Task<> untaken_connections() {
    Listener listener(Address::loopback(0));
    TcpStream first = co_await connect(listener.local_address());
    TcpStream taken = co_await listener.accept();
    TcpStream second = co_await connect(listener.local_address());
    co_await settle();
    listener = Listener(Address::loopback(0));
    std::string end;
    co_await record(end, [](TcpStream& stream) -> Task<std::string> {
        Buffer data = co_await stream.read_some();
        co_return "end";
    }(second));
    CHECK((end == "end" || end.starts_with("ConnectionLost: ")));
}
Task<> accepts_late() {
    constexpr std::size_t count = 200;
    Listener listener(Address::loopback(0), ListenOptions().backlog(512));
    TcpStream first = co_await connect(listener.local_address());
    TcpStream first_accepted = co_await listener.accept();
    std::vector<TcpStream> clients;
    for (std::size_t i = 0; i < count; ++i) {
        TcpStream client = co_await connect(listener.local_address());
        clients.push_back(std::move(client));
    }
    // Both ends of each would be 2 * count; most of the far ends must still be in the kernel's queue.
    CHECK(Reactor::current()->backend().ledger().descriptors < count + count / 2 + 20);
    for (std::size_t i = 0; i < count; ++i) {
        TcpStream peer = co_await listener.accept();
        CHECK(peer.peer_address() == clients[i].local_address());
    }
}
LARIAT_BACKEND_TEST_CASE(
    "a listener whose connections nobody takes leaves them in the kernel's queue, and none is lost") {
    run_on(backend_kind, accepts_late);
}

LARIAT_BACKEND_TEST_CASE("connections nobody took are closed with the listener") {
    run_on(backend_kind, untaken_connections);
}

// serve()

Task<> echo(TcpStream peer) {
    while (Buffer data = co_await peer.read_some()) co_await peer.write(std::move(data));
}
Task<std::string> ask(Address server, std::string text) {
    TcpStream stream = co_await connect(server);
    co_await stream.write(text);
    Buffer answer = co_await stream.read_exactly(text.size());
    co_return answer.str();
}
Task<> asks(Address server, int number, int& answered) {
    const std::string text = "question " + std::to_string(number);
    CHECK(co_await ask(server, text) == text);
    ++answered;
}
Task<> ask_many(TaskScope& scope, Address server, int count, int& answered) {
    for (int i = 0; i < count; ++i) scope.spawn(asks, server, i, std::ref(answered));
    co_return;
}
Task<std::string> serve_echo(Listener& listener) {
    co_await listener.serve(echo);
    co_return "returned";
}
Task<> serves_many() {
    Listener listener(Address::loopback(0), ListenOptions().backlog(200));
    std::string outcome;
    const JoinHandle<> server = spawn(record, std::ref(outcome), serve_echo(listener));
    int answered = 0;
    co_await with_scope(ask_many, listener.local_address(), 100, std::ref(answered));
    CHECK(answered == 100);
    server.cancel();
    co_await server;
    CHECK(outcome == "Cancelled: requested");
}
LARIAT_BACKEND_TEST_CASE("serve() runs a handler for every connection") { run_on(backend_kind, serves_many); }

Task<> counted(TcpStream peer, int& running, std::vector<std::string>& ends) {
    ++running;
    std::string outcome;
    co_await record(outcome, [](TcpStream& stream) -> Task<std::string> {
        Buffer data = co_await stream.read_some();
        co_return data.str();
    }(peer));
    --running;
    ends.push_back(outcome);
}
Task<std::string> serve_counted(Listener& listener, int& running, std::vector<std::string>& ends) {
    co_await listener.serve(counted, std::ref(running), std::ref(ends));
    CHECK(running == 0);
    co_return "returned";
}
Task<> cancel_serve() {
    Listener listener(Address::loopback(0));
    int running = 0;
    std::vector<std::string> ends;
    std::string outcome;
    const JoinHandle<> server = spawn(record, std::ref(outcome), serve_counted(listener, running, ends));
    TcpStream one = co_await connect(listener.local_address());
    TcpStream two = co_await connect(listener.local_address());
    while (running < 2) co_await yield();
    server.cancel(CancelReason::shutdown);
    co_await server;
    CHECK(outcome == "Cancelled: shutdown");
    CHECK(ends == std::vector<std::string>{"Cancelled: shutdown", "Cancelled: shutdown"});
}
LARIAT_BACKEND_TEST_CASE("cancelling serve() cancels the handlers and waits for them") {
    run_on(backend_kind, cancel_serve);
}

Task<> drain_serve() {
    Listener listener(Address::loopback(0));
    int running = 0;
    std::vector<std::string> ends;
    std::string outcome;
    const JoinHandle<> server = spawn(record, std::ref(outcome), serve_counted(listener, running, ends));
    TcpStream one = co_await connect(listener.local_address());
    while (running < 1) co_await yield();
    listener.close();
    co_await settle();
    CHECK(outcome == "nothing yet");
    CHECK(running == 1);
    co_await one.write("finish");
    co_await server;
    CHECK(outcome == "returned");
    CHECK(ends == std::vector<std::string>{"finish"});
}
LARIAT_BACKEND_TEST_CASE("after close() serve() returns when the handlers have ended by themselves") {
    run_on(backend_kind, drain_serve);
}

Task<> fails_on_command(TcpStream peer) {
    Buffer line = co_await peer.read_until("\n");
    if (line.text() == "fail\n") throw ProtocolViolation("as told");
    co_await peer.write(line);
}
Task<std::string> serve_failing(Listener& listener) {
    co_await listener.serve(fails_on_command);
    co_return "returned";
}
Task<> handler_fails() {
    Listener listener(Address::loopback(0));
    std::string outcome;
    const JoinHandle<> server = spawn(record, std::ref(outcome), serve_failing(listener));
    CHECK((co_await outcome_of(ask(listener.local_address(), "fail\n")))
          == "EndOfStream: the stream ended after 0 of 5 bytes");
    CHECK(co_await ask(listener.local_address(), "work\n") == "work\n");
    listener.close();
    co_await server;
    CHECK(outcome == "returned");
}
LARIAT_BACKEND_TEST_CASE("a handler that fails is logged, and the server goes on") {
    const CapturedLogs logs;
    run_on(backend_kind, handler_fails);
    CHECK(logs.count("as told") == 1);
}

// connect()

Task<> connect_errors() {
    Address gone;
    {
        Listener listener(Address::loopback(0));
        gone = listener.local_address();
    }
    co_await settle();
    CHECK((co_await outcome_of(connect_to(gone))).starts_with("ConnectionRefused: "));
    CHECK((co_await outcome_of(connect_by_name("127.0.0.1", gone.port()))).starts_with("ConnectionRefused: "));
}
LARIAT_KERNEL_TEST_CASE("a refused connection raises ConnectionRefused") { run_on(backend_kind, connect_errors); }

Task<> cancel_connect() {
    Listener listener(Address::loopback(0));
    std::string outcome;
    JoinHandle<> connector = spawn(record, std::ref(outcome), connect_to(listener.local_address()));
    connector.cancel();
    co_await connector;
    CHECK(outcome == "Cancelled: requested");
    connector = spawn(record, std::ref(outcome), after_cancel(connect_to(listener.local_address())));
    connector.cancel();
    co_await connector;
    CHECK(outcome == "Cancelled: requested");
    CHECK(co_await connect_to(listener.local_address()) == listener.local_address().str());
}
LARIAT_BACKEND_TEST_CASE("connect() can be cancelled before and while it is under way") {
    run_on(backend_kind, cancel_connect);
}

// Knows one name, with two addresses of which only the second answers.
class OneName final : public NameResolver {
public:
    explicit OneName(std::uint16_t port) : port_(port) {}
    void look_up(const Query& query, Answer answer) override {
        ResolveResult result;
        if (query.host == "server.test") {
            result.addresses = {*Address::from_host("127.0.0.2", query.port), Address::loopback(port_)};
        } else {
            result.failure = Failure(DNSLookupError(query.host));
        }
        answer(std::move(result));
    }

private:
    std::uint16_t port_;
};
Task<> connect_names() {
    Listener listener(Address::loopback(0));
    const std::uint16_t port = listener.local_address().port();
    Reactor::current()->resolver().install(std::make_shared<OneName>(port));
    CHECK(co_await outcome_of(connect_by_name("server.test", port)) == listener.local_address().str());
    CHECK(co_await outcome_of(connect_by_name("nowhere.test", port))
          == "DNSLookupError: DNS lookup failed: nowhere.test.");
    std::string outcome;
    const JoinHandle<> connector = spawn(record, std::ref(outcome), connect_by_name("server.test", port));
    connector.cancel();
    co_await connector;
    CHECK(outcome == "Cancelled: requested");
}
LARIAT_BACKEND_TEST_CASE("the addresses of a name are tried one after another") { run_on(backend_kind, connect_names); }

}  // namespace
}  // namespace lariat
