// SPDX-License-Identifier: MIT
// TcpObserver: hears of what a Reactor's TCP functions are asked for, whoever asks. Test reactors are made of it.
//
// Threads: the reactor's.
#pragma once

namespace lariat {

class Connector;
class Port;

/// Called before anything is done; what it throws comes out of Connector::connect() or Port::start_listening() instead.
class TcpObserver {
public:
    /// `connector` is about to try, for the first time or again.
    virtual void connecting(Connector& connector) = 0;
    /// `port` is about to listen, for the first time or again.
    virtual void listening(Port& port) = 0;

protected:
    ~TcpObserver() = default;
};

}  // namespace lariat
