// SPDX-License-Identifier: MIT
#include "../measure.hpp"
#include "peers.hpp"

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

namespace lariat::bench {
namespace {

constexpr int times = 2000;
long asio_total = 0;

asio::awaitable<long> asio_ready(long value) { co_return value; }

asio::awaitable<void> asio_await_ready() {
    for (int i = 0; i < times; ++i) asio_total += co_await asio_ready(1);
}
asio::awaitable<void> asio_spawn_and_join() {
    const auto executor = co_await asio::this_coro::executor;
    for (int i = 0; i < times; ++i) asio_total += co_await asio::co_spawn(executor, asio_ready(1), asio::use_awaitable);
}
asio::awaitable<void> asio_yield() {
    const auto executor = co_await asio::this_coro::executor;
    for (int i = 0; i < times; ++i) co_await asio::post(executor, asio::use_awaitable);
}

Cost asio_cost(asio::awaitable<void> (*body)()) {
    asio::io_context context(1);
    return cost_of_steps(times, 500, [&] {
        asio::co_spawn(context, body(), asio::detached);
        context.run();
        context.restart();
    });
}

}  // namespace

void measure_asio() {
    print_line("Asio: await an awaitable that is ready", asio_cost(asio_await_ready), -1, -1);
    print_line("Asio: co_spawn and await", asio_cost(asio_spawn_and_join), -1, -1);
    print_line("Asio: post, as yield()", asio_cost(asio_yield), -1, -1);
    keep(asio_total);
}

}  // namespace lariat::bench
