// SPDX-License-Identifier: MIT
// Sends a file to whoever connects, deflated (RFC 1951). usage: deflate_server FILE PORT; 0 lets the kernel choose.
#include "../echo/port_argument.hpp"
#include <lariat/lariat.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <zlib.h>

using namespace lariat;

namespace {

class Deflater {
public:
    Deflater() {
        if (deflateInit2(&zlib_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
            throw Error("zlib cannot begin");
        }
    }
    Deflater(const Deflater&) = delete;
    Deflater& operator=(const Deflater&) = delete;
    ~Deflater() { deflateEnd(&zlib_); }

    /// What `text` adds to the stream, and with `last` its end.
    std::string deflate(std::string_view text, bool last) {
        std::string deflated;
        zlib_.next_in = reinterpret_cast<z_const Bytef*>(const_cast<char*>(text.data()));
        zlib_.avail_in = static_cast<uInt>(text.size());
        do {
            const std::size_t size = deflated.size();
            deflated.resize(size + 4096);
            zlib_.next_out = reinterpret_cast<Bytef*>(deflated.data() + size);
            zlib_.avail_out = 4096;
            ::deflate(&zlib_, last ? Z_FINISH : Z_NO_FLUSH);
            deflated.resize(deflated.size() - zlib_.avail_out);
        } while (zlib_.avail_out == 0);
        return deflated;
    }

private:
    z_stream zlib_ = {};
};

// Piece by piece: a client that reads slowly is waited for, and meanwhile the others are served.
Task<> send_deflated(TcpStream peer, const std::string& file) {
    constexpr std::size_t piece = 16 * 1024;
    Deflater deflater;
    std::string_view rest = file;
    do {
        const std::string_view next = rest.substr(0, piece);
        rest.remove_prefix(next.size());
        const std::string deflated = deflater.deflate(next, rest.empty());
        co_await peer.write(deflated);
    } while (!rest.empty());
    co_await peer.close();
}

Task<> serve(Address where, const std::string& file) {
    Listener listener(where);
    std::printf("listening on %s\n", listener.local_address().str().c_str());
    std::fflush(stdout);
    co_await listener.serve(send_deflated, std::cref(file));
}

std::string read_file(const char* path) {
    std::ifstream file(path, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    if (!file.is_open() || file.bad()) throw Error(describe_errno(path, errno), errno);
    return text;
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc != 3) throw UsageError("expected two arguments, the file to send and the port to listen on");
    const std::uint16_t port = port_argument(argc - 1, argv + 1);
    const std::string file = read_file(argv[1]);
    return run(serve(Address::loopback(port), file));
} catch (const UsageError& error) {
    std::fprintf(stderr, "deflate_server: %s\n", error.what());
    return 2;
} catch (const Error& error) {
    std::fprintf(stderr, "deflate_server: %s\n", error.what());
    return 1;
}
