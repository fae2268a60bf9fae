// SPDX-License-Identifier: MIT
// rejected: within
#include <lariat/coro/task.hpp>
#include <lariat/coro/tcp_stream.hpp>

using namespace lariat::literals;

lariat::Task<> reads(lariat::TcpStream& stream) {
#ifdef LARIAT_ACCEPTED
    (void)co_await stream.read_some().within(1s);
#else
    auto read = stream.read_some();
    (void)co_await read.within(1s);
#endif
}
