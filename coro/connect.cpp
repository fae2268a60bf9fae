// SPDX-License-Identifier: MIT
#include <lariat/coro/connect.hpp>

#include <lariat/runtime/connection_error.hpp>
#include <lariat/runtime/reactor.hpp>

namespace lariat::detail {

Connect::Connect(const Address& address) : Ready(on_ready), addresses_{address} {}

Connect::Connect(std::string host, std::uint16_t port) : Ready(on_ready), host_(std::move(host)), port_(port) {
    if (const auto literal = Address::from_host(host_, port)) addresses_.push_back(*literal);
}

Connect::~Connect() {
    if (fd_ >= 0) reactor_->backend().close(fd_);
}

bool Connect::begin() noexcept {
    reactor_ = &this_reactor("connect()");
    if (addresses_.empty()) {
        request_ = reactor_->resolver().resolve(host_, port_, {},
                                                [this](ResolveResult result) { resolved(std::move(result)); });
    } else {
        try_next();
    }
    return false;
}

void Connect::resolved(ResolveResult result) noexcept {
    if (!result || result.addresses.empty()) {
        failure_ = result ? Failure(DNSLookupError(host_)) : std::move(result.failure);
        finish();
        return;
    }
    addresses_ = std::move(result.addresses);
    try_next();
}

// Never finishes inside itself: begin() calls it before the coroutine is suspended.
void Connect::try_next() noexcept {
    while (next_ < addresses_.size()) {
        const int error =
            attempt_.start(*reactor_, addresses_[next_++], std::nullopt, [this](int result) { attempted(result); });
        if (error == 0) return;
        failure_ = connect_error_from(-error);
    }
    reactor_->schedule(*this);
}

void Connect::attempted(int result) noexcept {
    if (result >= 0) {
        fd_ = result;
        finish();
        return;
    }
    failure_ = connect_error_from(-result);
    try_next();
}

void Connect::on_ready(Ready& ready) noexcept { static_cast<Connect&>(ready).finish(); }

bool Connect::withdraw() noexcept {
    unlink();
    request_.cancel();
    attempt_.cancel();
    return true;
}

TcpStream Connect::await_resume() {
    check();
    if (fd_ < 0) failure_.raise();
    return TcpStream(*reactor_, std::exchange(fd_, -1));
}

}  // namespace lariat::detail
