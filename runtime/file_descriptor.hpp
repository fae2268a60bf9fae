// SPDX-License-Identifier: MIT
// FileDescriptor: a descriptor of the user's that a reactor watches, as in Twisted's IReactorFDSet. For porting code
// and for libraries that bring their own descriptors; connections need none of this.
//
// Lifetime: the descriptor's number stays its user's, who closes it after having removed the object from the reactor.
// The reactor keeps nothing in the object that the kernel uses, so it may be destroyed at any time, also by itself.
// Threads: the reactor's.
#pragma once

#include <lariat/runtime/failure.hpp>

#include <string>

namespace lariat {

namespace detail {
struct Watch;
}

class FileDescriptor {
public:
    FileDescriptor() noexcept = default;
    FileDescriptor(const FileDescriptor&) = delete;
    FileDescriptor& operator=(const FileDescriptor&) = delete;
    /// Removes it from the reactor.
    virtual ~FileDescriptor();

    /// The number to watch; -1 when there is none any more, then the reactor disconnects it with
    /// ConnectionFdescWentAway.
    [[nodiscard]] virtual int fileno() const = 0;
    /// Called once per turn while there is something to read. Returning a failure, as in `return ConnectionDone();`,
    /// disconnects: the object is removed from the reactor and connection_lost() called. Throwing does the same and is
    /// logged.
    virtual Failure do_read();
    /// The same while there is room to write; not called when do_read() of the same event disconnected.
    virtual Failure do_write();
    /// It is no longer watched: `reason` is what do_read() or do_write() returned or threw, or ConnectionDone or
    /// ConnectionLost when the other side hung up, or ConnectionLost when the reactor shuts down.
    virtual void connection_lost(const Failure& reason);
    /// Asked instead when reading ended with ConnectionDone. Return true to go on writing.
    virtual bool read_connection_lost(const Failure& reason);
    /// Who speaks in the log.
    [[nodiscard]] virtual std::string log_prefix() const;

private:
    friend struct detail::Watch;

    detail::Watch* watch_ = nullptr;
};

}  // namespace lariat
