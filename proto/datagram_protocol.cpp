// SPDX-License-Identifier: MIT
#include <lariat/proto/datagram_protocol.hpp>

#include <lariat/io/base/log.hpp>
#include <lariat/proto/protocol.hpp>

#include <typeinfo>

namespace lariat {

void DatagramProtocol::datagram_received(Bytes, const Address&) {}

std::string DatagramProtocol::log_prefix() const { return detail::class_name(typeid(*this)); }

void DatagramProtocol::make_connection(DatagramTransport& transport) {
    LARIAT_CHECK(!transport_, "a DatagramProtocol has one transport at a time");
    transport_ = &transport;
    try {
        do_start();
    } catch (...) {
        transport_ = nullptr;
        throw;
    }
}

void DatagramProtocol::do_start() {
    if (num_ports_ == 0) {
        if (noisy_) log(LogLevel::info, log_prefix(), "Starting protocol " + log_prefix());
        start_protocol();
    }
    ++num_ports_;
}

void DatagramProtocol::do_stop() {
    LARIAT_CHECK(num_ports_ > 0, "a DatagramProtocol was stopped more often than it was started");
    --num_ports_;
    transport_ = nullptr;
    if (num_ports_ > 0) return;
    if (noisy_) log(LogLevel::info, log_prefix(), "Stopping protocol " + log_prefix());
    stop_protocol();
}

}  // namespace lariat
