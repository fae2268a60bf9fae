// SPDX-License-Identifier: MIT
#include <lariat/coro/lines.hpp>

#include <lariat/io/buffer.hpp>
#include <lariat/runtime/connection_error.hpp>

#include <utility>

namespace lariat {

AsyncGenerator<std::string> lines(TcpStream& from, std::size_t limit) {
    bool ended = false;
    while (!ended) {
        Buffer data;
        try {
            data = co_await from.read_until("\n", limit);
            if (data.empty()) co_return;
        } catch (const EndOfStream&) {
            ended = true;
        }
        if (ended) data = co_await from.read_some();
        std::string line = data.str();
        if (line.ends_with('\n')) line.pop_back();
        if (line.ends_with('\r')) line.pop_back();
        data.reset();
        co_yield std::move(line);
    }
}

}  // namespace lariat
