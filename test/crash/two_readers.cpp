// SPDX-License-Identifier: MIT
// dies: two coroutines read from one TcpStream; let one read and hand out what it got
#include <lariat/coro/connect.hpp>
#include <lariat/coro/listener.hpp>
#include <lariat/coro/run.hpp>

#include <functional>

using namespace lariat;

Task<> reads(TcpStream& stream) { (void)co_await stream.read_some(); }
Task<> two_readers() {
    Listener listener(Address::loopback(0));
    TcpStream stream = co_await connect(listener.local_address());
    co_await with_scope([&stream](TaskScope& scope) -> Task<> {
        scope.spawn(reads, std::ref(stream));
        scope.spawn(reads, std::ref(stream));
        co_return;
    });
}

int main() { return run(two_readers()); }
