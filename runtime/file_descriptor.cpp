// SPDX-License-Identifier: MIT
#include <lariat/runtime/file_descriptor.hpp>

#include <lariat/runtime/connection_error.hpp>
#include <lariat/runtime/descriptor_watches.hpp>
#include <lariat/runtime/report.hpp>

#include <cerrno>
#include <cstdint>
#include <poll.h>
#include <utility>

namespace lariat {

FileDescriptor::~FileDescriptor() {
    if (watch_) watch_->owner.forget(*watch_);
}

Failure FileDescriptor::do_read() { return {}; }
Failure FileDescriptor::do_write() { return {}; }
void FileDescriptor::connection_lost(const Failure&) {}
bool FileDescriptor::read_connection_lost(const Failure&) { return false; }
std::string FileDescriptor::log_prefix() const { return "-"; }

namespace detail {

Watch::Watch(DescriptorWatches& owner_, FileDescriptor& descriptor_) noexcept
    : owner(owner_), poll(DescriptorWatches::on_poll, this) {
    attach(descriptor_);
}

void Watch::attach(FileDescriptor& to) noexcept {
    descriptor = &to;
    to.watch_ = this;
}

void Watch::detach() noexcept {
    if (descriptor) std::exchange(descriptor, nullptr)->watch_ = nullptr;
}

DescriptorWatches::~DescriptorWatches() {
    while (Watch* watch = watches_.pop_front()) {
        watch->detach();
        delete watch;
    }
}

void DescriptorWatches::add(FileDescriptor& descriptor, bool Watch::* direction) {
    Watch* watch = Watch::of(descriptor);
    if (!watch) {
        watch = new Watch(*this, descriptor);
        watches_.push_back(*watch);
    }
    LARIAT_CHECK(&watch->owner == this, "a FileDescriptor can be watched by one reactor at a time");
    watch->*direction = true;
    interest_changed(*watch);
}

void DescriptorWatches::remove(FileDescriptor& descriptor, bool Watch::* direction) noexcept {
    Watch* watch = Watch::of(descriptor);
    if (!watch || !(watch->*direction)) return;
    watch->*direction = false;
    if (watch->reading || watch->writing) {
        interest_changed(*watch);
    } else {
        forget(*watch);
    }
}

std::vector<FileDescriptor*> DescriptorWatches::remove_all() {
    std::vector<FileDescriptor*> removed;
    watches_.for_each([&](Watch& watch) {
        if (!watch.descriptor) return;
        removed.push_back(watch.descriptor);
        forget(watch);
    });
    return removed;
}

std::vector<FileDescriptor*> DescriptorWatches::watched(bool Watch::* direction) {
    std::vector<FileDescriptor*> found;
    watches_.for_each([&](Watch& watch) {
        if (watch.descriptor && watch.*direction) found.push_back(watch.descriptor);
    });
    return found;
}

void DescriptorWatches::cancel_all() noexcept {
    watches_.for_each([&](Watch& watch) { forget(watch); });
}

void DescriptorWatches::interest_changed(Watch& watch) noexcept {
    if (!static_cast<ListHook<UnsyncedTag>&>(watch).is_linked()) unsynced_.push_back(watch);
}

// Nobody is interested: the user may close the descriptor the moment this returns, so the cancellation cannot wait.
void DescriptorWatches::forget(Watch& watch) noexcept {
    watch.detach();
    watch.reading = watch.writing = false;
    static_cast<ListHook<UnsyncedTag>&>(watch).unlink();
    if (watch.poll.in_flight()) {
        backend_.cancel(watch.poll);
    } else if (!watch.busy) {
        delete &watch;
    }
}

void DescriptorWatches::sync() noexcept {
    IntrusiveList<Watch, UnsyncedTag> changed;
    changed.append(unsynced_);
    while (Watch* watch = changed.pop_front()) {
        if (watch->busy) continue;  // looked at when its function has returned
        const std::uint32_t events =
            (watch->reading ? std::uint32_t{POLLIN} : 0) | (watch->writing ? std::uint32_t{POLLOUT} : 0);
        if (watch->poll.in_flight()) {
            if (watch->poll.events != events) backend_.cancel(watch->poll);
            continue;
        }
        const int fd = watch->descriptor->fileno();
        if (fd < 0) {
            disconnect(*watch, ConnectionFdescWentAway("Filedescriptor went away"), false);
            continue;
        }
        watch->poll.fd = fd;
        watch->poll.events = events;
        backend_.submit(watch->poll);
    }
}

void DescriptorWatches::on_poll(io::Op& op, io::Completion& completion) noexcept {
    auto* watch = static_cast<Watch*>(op.owner);
    if (watch->descriptor) {
        watch->owner.happened(*watch, completion.result);
    } else {
        delete watch;
    }
}

void DescriptorWatches::happened(Watch& watch, std::int32_t result) noexcept {
    if (result == -ECANCELED) {
        interest_changed(watch);
        return;
    }
    Failure why;
    bool in_read = false;
    const auto events = static_cast<std::uint32_t>(result);
    watch.busy = true;
    if (result < 0 || (events & POLLNVAL) != 0) {
        why = ConnectionFdescWentAway("Filedescriptor went away");
    } else if ((events & (POLLHUP | POLLERR)) != 0 && (events & POLLIN) == 0) {
        in_read = watch.reading;
        why = watch.reading ? Failure(ConnectionDone()) : Failure(ConnectionLost());
    } else {
        try {
            if (watch.descriptor->fileno() != watch.poll.fd) {
                why = ConnectionFdescWentAway("Filedescriptor went away");
            } else if ((events & POLLIN) != 0 && watch.reading) {
                in_read = true;
                why = watch.descriptor->do_read();
            }
            if (!why && (events & POLLOUT) != 0 && watch.writing) {
                in_read = false;
                why = watch.descriptor->do_write();
            }
        } catch (...) {
            why = Failure(std::current_exception());
            const std::string prefix = watch.descriptor ? watch.descriptor->log_prefix() : std::string("-");
            log_failure(prefix, "Unhandled Error", why);
        }
    }
    watch.busy = false;
    if (!watch.descriptor) {
        delete &watch;  // its function removed or destroyed the object
    } else if (why) {
        disconnect(watch, why, in_read);
    } else {
        interest_changed(watch);
    }
}

void DescriptorWatches::disconnect(Watch& watch, const Failure& why, bool in_read) noexcept {
    FileDescriptor& descriptor = *watch.descriptor;
    if (in_read && why.check<ConnectionDone>()) {
        remove(descriptor, &Watch::reading);
        bool goes_on = false;
        guarded("Unhandled Error", [&] { goes_on = descriptor.read_connection_lost(why); });
        if (goes_on) return;
    }
    if (Watch* still = Watch::of(descriptor)) forget(*still);
    guarded("Unhandled Error", [&] { descriptor.connection_lost(why); });
}

}  // namespace detail
}  // namespace lariat
