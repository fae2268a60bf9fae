// SPDX-License-Identifier: MIT
// ListenerCore: what a Listener owns, and the verbs that wait for connections. Not for users.
#pragma once

#include <lariat/coro/operation.hpp>
#include <lariat/coro/tcp_stream.hpp>
#include <lariat/io/address.hpp>
#include <lariat/io/base/error.hpp>
#include <lariat/runtime/acceptor.hpp>
#include <lariat/runtime/ready.hpp>

#include <deque>

namespace lariat {

/// Accepting from a Listener that was closed.
class ListenerClosed : public Error {
public:
    ListenerClosed() : Error("the listener is closed") {}
};

namespace detail {

class AcceptBase;

class ListenerCore final : private Ready {
public:
    ListenerCore(Reactor& reactor, const Address& address, const ListenOptions& options);
    ListenerCore(const ListenerCore&) = delete;
    ListenerCore& operator=(const ListenerCore&) = delete;
    ~ListenerCore();

    [[nodiscard]] Address local_address() const { return closed_ ? Address() : acceptor_.local_address(); }
    void close() noexcept;

    [[nodiscard]] bool has_connection() const noexcept { return !accepted_.empty(); }
    [[nodiscard]] bool is_closed() const noexcept { return closed_; }
    /// The oldest connection that nobody took, an empty TcpStream when there is none.
    TcpStream take();
    void wait(AcceptBase& waiter) noexcept;
    void stop_waiting() noexcept { waiter_ = nullptr; }

private:
    void accepted(int fd);
    static void tell_of_close(Ready& ready) noexcept;

    Reactor& reactor_;
    Acceptor acceptor_;
    std::deque<int> accepted_;
    AcceptBase* waiter_ = nullptr;
    bool started_ = false;
    bool paused_ = false;  // more than a few connections wait for accept()
    bool closed_ = false;
};

class AcceptBase {
public:
    virtual void advance() noexcept = 0;

protected:
    ~AcceptBase() = default;
};

template <class Verb>
class AcceptOperation : public Operation<Verb>, private AcceptBase {
protected:
    explicit AcceptOperation(ListenerCore& core) noexcept : core_(core) {}
    ~AcceptOperation() = default;

    ListenerCore& core_;

private:
    friend Operation<Verb>;

    bool begin() noexcept {
        if (core_.has_connection() || core_.is_closed()) return true;
        core_.wait(*this);
        return false;
    }
    void advance() noexcept override {
        core_.stop_waiting();
        this->finish();
    }
    bool withdraw() noexcept override { return core_.stop_waiting(), true; }
    const char* verb() const noexcept override { return "accept"; }
};

/// Gives a connection, or throws ListenerClosed.
class Accept final : public AcceptOperation<Accept> {
public:
    explicit Accept(ListenerCore& core) noexcept : AcceptOperation(core) {}
    TcpStream await_resume() {
        check();
        if (!core_.has_connection()) throw ListenerClosed();
        return core_.take();
    }
};

/// Gives a connection, or an empty TcpStream when the listener was closed.
class AcceptOrEnd final : public AcceptOperation<AcceptOrEnd> {
public:
    explicit AcceptOrEnd(ListenerCore& core) noexcept : AcceptOperation(core) {}
    TcpStream await_resume() {
        check();
        return core_.take();
    }
};

}  // namespace detail
}  // namespace lariat
