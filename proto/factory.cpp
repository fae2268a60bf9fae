// SPDX-License-Identifier: MIT
#include <lariat/proto/factory.hpp>

#include <lariat/io/base/assert.hpp>
#include <lariat/io/base/log.hpp>

namespace lariat {

ProtocolPtr Factory::build_protocol(const Address&) {
    LARIAT_CHECK(make_, "this Factory knows no protocol to build: call set_protocol<P>() or override build_protocol()");
    ProtocolPtr protocol = make_();
    protocol->set_factory(weak_from_this().lock());
    return protocol;
}

std::string Factory::log_prefix() const { return detail::class_name(typeid(*this)); }

void Factory::do_start() {
    if (num_ports_ == 0) {
        if (noisy_) log(LogLevel::info, log_prefix(), "Starting factory " + log_prefix());
        start_factory();
    }
    ++num_ports_;
}

void Factory::do_stop() {
    if (num_ports_ == 0) return;  // as in Twisted: one too many harms nobody
    if (--num_ports_ > 0) return;
    if (noisy_) log(LogLevel::info, log_prefix(), "Stopping factory " + log_prefix());
    stop_factory();
}

}  // namespace lariat
