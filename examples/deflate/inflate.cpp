// SPDX-License-Identifier: MIT
// zlib's inflateBack() asks for input by a callback that must not return before it has some, or there is no more. In a
// fiber that callback simply waits.
//
// An exception must not pass through zlib, which is C and would not clean up. The callbacks keep what they caught and
// tell zlib to stop; when inflateBack() has returned, it is thrown on.
#include "inflate.hpp"

#include <cerrno>
#include <exception>
#include <string>
#include <utility>
#include <vector>
#include <zlib.h>

using namespace lariat;

namespace {

class Inflater {
public:
    Inflater(TcpStream& peer, std::FILE* out, Duration patience) : peer_(peer), out_(out), patience_(patience) {
        if (inflateBackInit(&zlib_, window_bits, window_.data()) != Z_OK) throw Error("zlib cannot begin");
    }
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;
    ~Inflater() { inflateBackEnd(&zlib_); }

    void run() {
        const int result = inflateBack(&zlib_, take, this, give, this);
        if (thrown_) std::rethrow_exception(thrown_);
        if (result == Z_BUF_ERROR) throw EndOfStream("the deflated stream ended in the middle");
        if (result != Z_STREAM_END) {
            throw ProtocolViolation(std::string("not a deflated stream: ") + (zlib_.msg ? zlib_.msg : "unknown"));
        }
    }

private:
    static constexpr int window_bits = 15;  // the largest window that deflate uses

    // The input that zlib wants; none at the end.
    static unsigned take(void* self, z_const Bytef** input) noexcept {
        return static_cast<Inflater*>(self)->guarded(
            [input](Inflater& inflater) {
                inflater.piece_ = fiber::await(inflater.peer_.read_some().within(inflater.patience_));
                *input = reinterpret_cast<z_const Bytef*>(inflater.piece_.data());
                return static_cast<unsigned>(inflater.piece_.size());
            },
            0U);
    }
    // What zlib has made of it; 0 is success.
    static int give(void* self, Bytef* output, unsigned size) noexcept {
        return static_cast<Inflater*>(self)->guarded(
            [output, size](Inflater& inflater) {
                if (std::fwrite(output, 1, size, inflater.out_) < size)
                    throw Error(describe_errno("output", errno), errno);
                return 0;
            },
            1);
    }

    /// The boundary between C++ and C: what `callback` gives, or `stop` when it throws.
    template <class F, class R>
    R guarded(F callback, R stop) noexcept {
        try {
            return callback(*this);
        } catch (...) {
            thrown_ = std::current_exception();
            return stop;
        }
    }

    TcpStream& peer_;
    std::FILE* out_;
    Duration patience_;
    Buffer piece_;  // zlib reads from it until it takes the next one
    std::vector<Bytef> window_ = std::vector<Bytef>(std::size_t{1} << window_bits);
    z_stream zlib_ = {};
    std::exception_ptr thrown_;
};

}  // namespace

void inflate_stream(TcpStream& peer, std::FILE* out, Duration patience) { Inflater(peer, out, patience).run(); }
