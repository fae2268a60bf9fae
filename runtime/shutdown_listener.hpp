// SPDX-License-Identifier: MIT
// ShutdownListener: something on a reactor that is neither a Connection nor a FileDescriptor and must be told when the
// reactor shuts down or dies: a listening port, an attempt to connect.
//
// Threads: the reactor's.
#pragma once

#include <lariat/io/base/intrusive_list.hpp>

namespace lariat {

struct ShutdownTag;

/// Register with Reactor::add_shutdown_listener(); destroying or unlinking it ends the registration.
class ShutdownListener : public ListHook<ShutdownTag> {
public:
    /// Called once, in "during shutdown" or by the reactor's destructor: cancel what is in flight. The reactor goes on
    /// turning until the listener has been unlinked, so unlink it at once when nothing is in flight, else when the last
    /// completion has come.
    virtual void reactor_stopping() noexcept = 0;

protected:
    ~ShutdownListener() = default;
};

}  // namespace lariat
