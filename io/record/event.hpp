// SPDX-License-Identifier: MIT
// Events: what a recording consists of. An event is a kind, what the program asked and what it was answered, in this
// order: a replay encodes what its program asks and finds it at the beginning of the recorded event, or has diverged.
//
// Numbers are LEB128, signed ones zigzag first, so that most events take two to five bytes. What follows which kind is
// written down once, in the table of event.cpp: reading over events and showing them to people goes by it.
#pragma once

#include <lariat/io/address.hpp>
#include <lariat/io/base/bytes.hpp>
#include <lariat/io/base/clock.hpp>
#include <lariat/io/tape.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <sys/uio.h>
#include <vector>

namespace lariat::io {

/// The numbers are part of the format. 0 is what a recording that was never finished has behind its last event.
enum class EventKind : std::uint8_t {
    none = 0,
    end,  ///< the backend was destroyed; carries a checksum as `dispatch` does
    now,
    random,
    open_socket,
    bind,
    listen,
    local_address,
    peer_address,
    set_option,
    get_option,
    shutdown,
    close,
    adopt,
    try_send,
    try_accept,
    submit,
    cancel,
    has_completions,  ///< only when the answer was yes
    dispatch,         ///< carries a checksum of everything before it
    completion,
    dispatched,  ///< the end of a dispatch
    look_up,
    draw_delay,
    take_signal,  ///< of a simulation; only when there was one
    signal,
    mail,
    answer,
    withdraw,
    deadline,
    connect,
    try_send_to,
};
inline constexpr auto last_event_kind = EventKind::try_send_to;

/// A checksum of bytes that does not depend on the pieces they come in. Finds damage, not forgery.
class Digest {
public:
    void add(Bytes bytes) noexcept;
    [[nodiscard]] std::uint64_t value() const noexcept;

private:
    static constexpr std::size_t lanes = 4;  // that a processor works on at once
    static constexpr std::size_t block = lanes * sizeof(std::uint64_t);

    void mix(const std::byte* bytes) noexcept;

    std::array<std::uint64_t, lanes> state_{0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0,
                                            0x082efa98ec4e6c89};
    std::array<std::byte, block> rest_{};  // what fills no block yet
    std::uint64_t size_ = 0;
};

/// An event as it is put together.
class EventBytes {
public:
    EventBytes& begin(EventKind kind) {
        bytes_.clear();
        bytes_.push_back(static_cast<std::byte>(kind));
        return *this;
    }
    EventBytes& number(std::uint64_t value);
    EventBytes& integer(std::int64_t value) {
        return number((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
    }
    EventBytes& fixed(std::uint64_t value);
    EventBytes& bytes(Bytes value);
    EventBytes& address(const Address& value) {
        return bytes({reinterpret_cast<const char*>(value.data()), value.size()});
    }
    /// Null is not the same as an empty list.
    EventBytes& addresses(const std::vector<Address>* list);
    /// What is sent: its size and its digest.
    EventBytes& sent(std::span<const iovec> parts);
    EventBytes& sender(const Sender& sender);

    [[nodiscard]] EventKind kind() const noexcept { return static_cast<EventKind>(bytes_.front()); }
    [[nodiscard]] Bytes all() const noexcept { return {bytes_.data(), bytes_.size()}; }

private:
    std::vector<std::byte> bytes_;
};

/// Reads an event. What lies beyond the end is zero, and ok() tells.
class EventReader {
public:
    EventReader() noexcept = default;
    explicit EventReader(Bytes bytes) noexcept : at_(bytes.begin()), end_(bytes.end()) {}

    [[nodiscard]] bool ok() const noexcept { return ok_; }
    [[nodiscard]] const std::byte* position() const noexcept { return at_; }
    /// From here on nothing can be read.
    void fail() noexcept {
        ok_ = false;
        at_ = end_;
    }

    EventKind kind() noexcept;
    std::uint64_t number() noexcept;
    std::int64_t integer() noexcept {
        const std::uint64_t coded = number();
        return static_cast<std::int64_t>((coded >> 1) ^ (~(coded & 1) + 1));
    }
    std::uint64_t fixed() noexcept;
    Bytes bytes() noexcept;
    Address address() noexcept;
    /// False for a null list.
    bool addresses(std::vector<Address>& list);
    Sender sender() noexcept;

    /// Reads over what follows `kind`.
    void skip(EventKind kind) noexcept;
    /// What `kind` and what follows it say, for people: "bind(7, 127.0.0.1:80) = 0". Without `answers` only what was
    /// asked.
    std::string describe(EventKind kind, bool answers);

private:
    const std::byte* at_ = nullptr;
    const std::byte* end_ = nullptr;
    bool ok_ = true;
};

/// True for kinds whose first field is a descriptor.
[[nodiscard]] bool asks_with_descriptor(EventKind kind) noexcept;

/// A point of time as the distance from the last one the program was told; both directions.
[[nodiscard]] inline std::int64_t time_delta(TimePoint from, TimePoint to) noexcept {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(to.time_since_epoch().count())
                                     - static_cast<std::uint64_t>(from.time_since_epoch().count()));
}
[[nodiscard]] inline TimePoint time_after(TimePoint from, std::int64_t delta) noexcept {
    return TimePoint(Duration(static_cast<std::int64_t>(static_cast<std::uint64_t>(from.time_since_epoch().count())
                                                        + static_cast<std::uint64_t>(delta))));
}

/// A deadline relative to the time the program was told last; 0 when there is none.
[[nodiscard]] inline std::uint64_t deadline_code(TimePoint from, TimePoint deadline) noexcept {
    if (deadline == never) return 0;
    return 1 + static_cast<std::uint64_t>(std::max<std::int64_t>(time_delta(from, deadline), 0));
}

}  // namespace lariat::io
