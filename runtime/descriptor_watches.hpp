// SPDX-License-Identifier: MIT
// DescriptorWatches: a reactor's side of FileDescriptor. Owns the poll operations, which outlive the objects they serve
// until the kernel has completed them.
//
// Level triggered: a poll is one shot and submitted again in the next turn while there is still interest.
// Threads: the reactor's.
#pragma once

#include <lariat/io/backend.hpp>
#include <lariat/io/base/intrusive_list.hpp>
#include <lariat/runtime/file_descriptor.hpp>

#include <vector>

namespace lariat::detail {

class DescriptorWatches;
struct WatchTag;
struct UnsyncedTag;

/// One descriptor that is watched, or was until a moment ago.
struct Watch final : ListHook<WatchTag>, ListHook<UnsyncedTag> {
    Watch(DescriptorWatches& owner_, FileDescriptor& descriptor_) noexcept;

    /// Tells the two objects of each other, or that they part.
    void attach(FileDescriptor& to) noexcept;
    void detach() noexcept;
    static Watch* of(const FileDescriptor& descriptor) noexcept { return descriptor.watch_; }

    DescriptorWatches& owner;
    io::PollOp poll;
    FileDescriptor* descriptor = nullptr;  // null: gone, or nobody is interested any more
    bool reading = false;
    bool writing = false;
    bool busy = false;  // one of its functions is being called
};

class DescriptorWatches {
public:
    explicit DescriptorWatches(io::Backend& backend) noexcept : backend_(backend) {}
    DescriptorWatches(const DescriptorWatches&) = delete;
    DescriptorWatches& operator=(const DescriptorWatches&) = delete;
    /// None of the operations may be in flight any more.
    ~DescriptorWatches();

    void add(FileDescriptor& descriptor, bool Watch::* direction);
    void remove(FileDescriptor& descriptor, bool Watch::* direction) noexcept;
    /// Stops watching all of them and returns them.
    std::vector<FileDescriptor*> remove_all();
    [[nodiscard]] std::vector<FileDescriptor*> watched(bool Watch::* direction);

    /// Makes the operations follow the interests; once per turn, before the loop waits.
    void sync() noexcept;
    [[nodiscard]] bool needs_sync() const noexcept { return !unsynced_.empty(); }
    /// Parts from every object without telling it and cancels all operations.
    void cancel_all() noexcept;

private:
    friend struct Watch;
    friend class lariat::FileDescriptor;

    static void on_poll(io::Op& op, io::Completion& completion) noexcept;
    void happened(Watch& watch, std::int32_t result) noexcept;
    void disconnect(Watch& watch, const Failure& why, bool in_read) noexcept;
    void interest_changed(Watch& watch) noexcept;
    void forget(Watch& watch) noexcept;

    io::Backend& backend_;
    IntrusiveList<Watch, WatchTag> watches_;
    IntrusiveList<Watch, UnsyncedTag> unsynced_;  // of them, those whose operation may not be what is wanted
};

}  // namespace lariat::detail
