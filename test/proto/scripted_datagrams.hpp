// SPDX-License-Identifier: MIT
// A DatagramProtocol that records what is called on it, in order, and does what a test says; and a reactor with UDP
// ports on loopback.
#pragma once

#include "scripted.hpp"
#include <lariat/proto/udp_port.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace lariat::test {

class ScriptedDatagrams final : public DatagramProtocol {
public:
    ScriptedDatagrams(Events& events, std::string name) : events_(events), name_(std::move(name)) { set_noisy(false); }

    void start_protocol() override { call("start", on_start); }
    void stop_protocol() override { call("stop", on_stop); }
    void datagram_received(Bytes datagram, const Address& sender) override {
        from = sender;
        record("got " + (datagram.size() < 20 ? datagram.str() : std::to_string(datagram.size()) + " bytes"));
        if (on_datagram) on_datagram(datagram);
    }
    void truncated_datagram_received(Bytes datagram, const Address& sender) override {
        if (!hears_of_truncation) return DatagramProtocol::truncated_datagram_received(datagram, sender);
        from = sender;
        record("got the beginning " + datagram.str());
    }
    void connection_refused() override { call("refused", on_refused); }
    void record(const std::string& what) { events_.push_back(name_ + " " + what); }

    std::function<void()> on_start, on_stop, on_refused;
    std::function<void(Bytes)> on_datagram;
    Address from;  // of the last datagram
    bool hears_of_truncation = true;

private:
    void call(const char* what, const std::function<void()>& then) {
        record(what);
        if (then) then();
    }

    Events& events_;
    std::string name_;
};

class UdpLoop : public Loop {
public:
    using Loop::Loop;

    std::shared_ptr<ScriptedDatagrams> protocol(const std::string& name) {
        return std::make_shared<ScriptedDatagrams>(events, name);
    }
    /// A port of 127.0.0.1.
    std::shared_ptr<UdpPort> bind(std::shared_ptr<DatagramProtocol> protocol, UdpOptions options = {}) {
        return reactor.listen_udp(0, std::move(protocol), options.interface("127.0.0.1"));
    }
    /// A port that refuses what is sent to it, as it is connected to itself; revive() gives one that has its number.
    std::shared_ptr<UdpPort> refusing_port() {
        auto port = bind(protocol("refusing"), UdpOptions().listen_multiple());
        port->connect("127.0.0.1", port->host().port());
        return port;
    }
    std::shared_ptr<UdpPort> revive(const UdpPort& refusing, std::shared_ptr<DatagramProtocol> protocol) {
        return reactor.listen_udp(refusing.host().port(), std::move(protocol),
                                  UdpOptions().interface("127.0.0.1").listen_multiple());
    }
    void connect_to(UdpPort& port, const UdpPort& peer) { port.connect("127.0.0.1", peer.host().port()); }
    void until_saw(const std::string& event) {
        until([&] { return saw(event); });
    }
};

}  // namespace lariat::test
