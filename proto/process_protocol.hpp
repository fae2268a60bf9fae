// SPDX-License-Identifier: MIT
// ProcessProtocol: what is said to a child process (Twisted: protocol.ProcessProtocol). Whoever runs the child calls
// the child_... functions by descriptor; they hand the three standard ones on under their own names.
//
// Threads: the reactor's.
#pragma once

#include <lariat/io/base/bytes.hpp>
#include <lariat/runtime/failure.hpp>

namespace lariat {

class ProcessProtocol {
public:
    ProcessProtocol() noexcept = default;
    ProcessProtocol(const ProcessProtocol&) = delete;
    ProcessProtocol& operator=(const ProcessProtocol&) = delete;
    virtual ~ProcessProtocol() = default;

    /// The child runs.
    virtual void connection_made() {}

    /// The child wrote to its descriptor `fd`. Lifetime: `data` dies with the call.
    virtual void child_data_received(int fd, Bytes data) {
        if (fd == 1) out_received(data);
        if (fd == 2) err_received(data);
    }
    /// The pipe at the child's descriptor `fd` is closed.
    virtual void child_connection_lost(int fd) {
        if (fd == 0) in_connection_lost();
        if (fd == 1) out_connection_lost();
        if (fd == 2) err_connection_lost();
    }

    virtual void out_received(Bytes) {}
    virtual void err_received(Bytes) {}
    virtual void in_connection_lost() {}
    virtual void out_connection_lost() {}
    virtual void err_connection_lost() {}

    /// The child has ended; its pipes may still have data.
    virtual void process_exited(const Failure&) {}
    /// The child has ended and all its pipes are closed: the last call.
    virtual void process_ended(const Failure&) {}
};

}  // namespace lariat
