// SPDX-License-Identifier: MIT
// The TCP functions of Reactor, which only this layer can implement: it knows the factories.
#include <lariat/proto/connector.hpp>
#include <lariat/proto/factory.hpp>
#include <lariat/proto/port.hpp>
#include <lariat/runtime/acceptor.hpp>
#include <lariat/runtime/connection_error.hpp>
#include <lariat/runtime/reactor.hpp>

#include <netdb.h>
#include <string>
#include <vector>

namespace lariat {
namespace {

std::uint16_t port_of_service(std::string_view service) {
    const std::string name(service);
    std::vector<char> memory(1024);
    servent entry{};
    servent* found = nullptr;
    while (getservbyname_r(name.c_str(), "tcp", &entry, memory.data(), memory.size(), &found) == ERANGE) {
        memory.resize(memory.size() * 2);
    }
    if (!found) throw ServiceNameUnknownError(0, "service/proto not found ('" + name + "')");
    return ntohs(static_cast<std::uint16_t>(found->s_port));
}

}  // namespace

std::shared_ptr<Port> Reactor::listen_tcp(std::uint16_t port, std::shared_ptr<Factory> factory) {
    return Port::create(*this, port, std::move(factory), ListenOptions());
}

std::shared_ptr<Port> Reactor::listen_tcp(std::uint16_t port, std::shared_ptr<Factory> factory,
                                          const ListenOptions& options) {
    return Port::create(*this, port, std::move(factory), options);
}

std::shared_ptr<Port> Reactor::adopt_stream_port(int descriptor, std::shared_ptr<Factory> factory) {
    return Port::create(*this, 0, std::move(factory), ListenOptions(), descriptor);
}

std::shared_ptr<Connector> Reactor::connect_tcp(std::string_view host, std::uint16_t port,
                                                std::shared_ptr<ClientFactory> factory) {
    return connect_tcp(host, port, std::move(factory), ConnectOptions());
}

std::shared_ptr<Connector> Reactor::connect_tcp(std::string_view host, std::uint16_t port,
                                                std::shared_ptr<ClientFactory> factory, const ConnectOptions& options) {
    auto connector = Connector::create(*this, Destination{std::string(host), port}, std::move(factory), options);
    connector->connect();
    return connector;
}

std::shared_ptr<Connector> Reactor::connect_tcp(std::string_view host, std::string_view service,
                                                std::shared_ptr<ClientFactory> factory) {
    return connect_tcp(host, port_of_service(service), std::move(factory), ConnectOptions());
}

std::shared_ptr<Connector> Reactor::connect_tcp(std::string_view host, std::string_view service,
                                                std::shared_ptr<ClientFactory> factory, const ConnectOptions& options) {
    return connect_tcp(host, port_of_service(service), std::move(factory), options);
}

}  // namespace lariat
