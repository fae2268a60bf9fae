// SPDX-License-Identifier: MIT
// rejected: a handler of connections returns Task<>
#include <lariat/coro/listener.hpp>

#ifdef LARIAT_ACCEPTED
lariat::Task<> handle(lariat::TcpStream) { co_return; }
#else
lariat::Task<int> handle(lariat::TcpStream) { co_return 1; }
#endif

lariat::Task<> serve(lariat::Listener& listener) { co_await listener.serve(handle); }
