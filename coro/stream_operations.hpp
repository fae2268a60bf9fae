// SPDX-License-Identifier: MIT
// The awaitable verbs of TcpStream. Users meet them only as what its functions return.
#pragma once

#include <lariat/coro/operation.hpp>
#include <lariat/coro/stream_core.hpp>
#include <lariat/io/base/bytes.hpp>
#include <lariat/io/buffer.hpp>

#include <cstddef>
#include <string>
#include <utility>

namespace lariat::detail {

/// A read. `Verb` has `bool is_satisfied() noexcept`: by what is unread, or because nothing more will come.
template <class Verb>
class ReadOperation : public Operation<Verb>, private StreamReader {
protected:
    explicit ReadOperation(StreamCore& core) noexcept : core_(core) {}
    ~ReadOperation() = default;

    StreamCore& core_;

private:
    friend Operation<Verb>;

    bool begin() noexcept {
        if (static_cast<Verb&>(*this).is_satisfied()) return true;
        core_.wait(*this);
        return false;
    }
    bool advance() noexcept override {
        if (!static_cast<Verb&>(*this).is_satisfied()) return false;
        core_.stop_waiting();
        this->finish();
        return true;
    }
    bool withdraw() noexcept override { return core_.stop_waiting(), true; }
};

class ReadSome final : public ReadOperation<ReadSome> {
public:
    explicit ReadSome(StreamCore& core) noexcept : ReadOperation(core) {}

    Buffer await_resume() {
        check();
        if (core_.unread().empty() && !core_.peer_has_ended()) StreamCore::raise(core_.end());
        return core_.take_all();
    }

private:
    friend ReadOperation<ReadSome>;

    [[nodiscard]] bool is_satisfied() const noexcept { return !core_.unread().empty() || core_.has_ended(); }
    const char* verb() const noexcept override { return "read_some"; }
};

class ReadExactly final : public ReadOperation<ReadExactly> {
public:
    ReadExactly(StreamCore& core, std::size_t size) noexcept : ReadOperation(core), size_(size) {}

    Buffer await_resume();

private:
    friend ReadOperation<ReadExactly>;

    [[nodiscard]] bool is_satisfied() const noexcept { return core_.unread().size() >= size_ || core_.has_ended(); }
    const char* verb() const noexcept override { return "read_exactly"; }

    std::size_t size_;
};

class ReadUntil final : public ReadOperation<ReadUntil> {
public:
    ReadUntil(StreamCore& core, std::string delimiter, std::size_t limit) noexcept;

    Buffer await_resume();

private:
    friend ReadOperation<ReadUntil>;

    [[nodiscard]] bool is_satisfied() noexcept;
    const char* verb() const noexcept override { return "read_until"; }

    std::string delimiter_;
    std::size_t limit_;
    std::size_t searched_ = 0;  // no delimiter begins before
    std::size_t found_ = 0;     // the length with the delimiter
};

/// A wait for the queue to empty, or for the end.
template <class Verb, StreamWaiter::For What>
class WaitOperation : public Operation<Verb>, protected StreamWaiter {
protected:
    explicit WaitOperation(StreamCore& core) noexcept : StreamWaiter(What), core_(core) {}
    ~WaitOperation() = default;

    StreamCore& core_;
    int end_ = StreamCore::still_open;

private:
    void wake(int end) noexcept final {
        end_ = end;
        this->finish();
    }
    bool withdraw() noexcept override { return this->unlink(), true; }
};

/// A write: `Verb::put()` queues.
template <class Verb>
class WriteOperation : public WaitOperation<Verb, StreamWaiter::For::drained> {
public:
    void await_resume() const {
        this->check();
        StreamCore::raise(this->end_);
    }

protected:
    using WaitOperation<Verb, StreamWaiter::For::drained>::WaitOperation;
    ~WriteOperation() = default;

private:
    friend Operation<Verb>;

    bool begin() noexcept {
        this->end_ = this->core_.write_end();
        if (this->end_ != StreamCore::still_open) return true;
        static_cast<Verb&>(*this).put();
        if (this->core_.queued() < StreamCore::high_water_mark) return true;
        this->core_.wait(static_cast<StreamWaiter&>(*this));
        return false;
    }
    const char* verb() const noexcept override { return "write"; }
};

class Write final : public WriteOperation<Write> {
public:
    Write(StreamCore& core, Bytes bytes) noexcept : WriteOperation(core), bytes_(bytes) {}

private:
    friend WriteOperation<Write>;
    void put() { core_.write(bytes_); }
    Bytes bytes_;
};

class WriteBuffer final : public WriteOperation<WriteBuffer> {
public:
    WriteBuffer(StreamCore& core, Buffer&& data) noexcept : WriteOperation(core), data_(std::move(data)) {}

private:
    friend WriteOperation<WriteBuffer>;
    void put() { core_.write(std::move(data_)); }
    Buffer data_;
};

class Drained final : public WaitOperation<Drained, StreamWaiter::For::drained> {
public:
    explicit Drained(StreamCore& core) noexcept : WaitOperation(core) {}
    void await_resume() const {
        check();
        StreamCore::raise(end_);
    }

private:
    friend Operation<Drained>;

    bool begin() noexcept;
    const char* verb() const noexcept override { return "drained"; }
};

class CloseStream final : public WaitOperation<CloseStream, StreamWaiter::For::closed> {
public:
    explicit CloseStream(StreamCore& core) noexcept : WaitOperation(core) {}
    void await_resume() const {
        check();
        if (end_ != StreamCore::closed_cleanly) StreamCore::raise(end_);
    }

private:
    friend Operation<CloseStream>;

    bool begin() noexcept;
    const char* verb() const noexcept override { return "close"; }
};

}  // namespace lariat::detail
