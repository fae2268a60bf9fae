// SPDX-License-Identifier: MIT
// The UDP functions of Reactor, which only this layer can implement: it knows the protocols.
#include <lariat/proto/datagram_protocol.hpp>
#include <lariat/proto/udp_port.hpp>
#include <lariat/runtime/reactor.hpp>

namespace lariat {

std::shared_ptr<UdpPort> Reactor::listen_udp(std::uint16_t port, std::shared_ptr<DatagramProtocol> protocol) {
    return UdpPort::create(*this, port, std::move(protocol), UdpOptions());
}

std::shared_ptr<UdpPort> Reactor::listen_udp(std::uint16_t port, std::shared_ptr<DatagramProtocol> protocol,
                                             const UdpOptions& options) {
    return UdpPort::create(*this, port, std::move(protocol), options);
}

std::shared_ptr<UdpPort> Reactor::listen_multicast(std::uint16_t port, std::shared_ptr<DatagramProtocol> protocol) {
    return UdpPort::create(*this, port, std::move(protocol), UdpOptions());
}

std::shared_ptr<UdpPort> Reactor::listen_multicast(std::uint16_t port, std::shared_ptr<DatagramProtocol> protocol,
                                                   const UdpOptions& options) {
    return UdpPort::create(*this, port, std::move(protocol), options);
}

std::shared_ptr<UdpPort> Reactor::adopt_datagram_port(int descriptor, std::shared_ptr<DatagramProtocol> protocol,
                                                      std::size_t max_packet_size) {
    return UdpPort::create(*this, 0, std::move(protocol), UdpOptions().max_packet_size(max_packet_size), descriptor);
}

}  // namespace lariat
