// SPDX-License-Identifier: MIT
#include <lariat/io/record/event.hpp>

#include <lariat/io/record/recorded_op.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <utility>

namespace lariat::io {
namespace {

/// What follows a kind. Each letter is a field:
///   d a descriptor          n a number             i an integer           x eight bytes
///   b bytes                 a an address           A addresses or null
///   m senders               o an operation         t a deadline
///   v a verb and what it asks for                  V a verb and what it was answered
struct Shape {
    const char* name;
    const char* asks;
    const char* answers;
};

constexpr std::array<Shape, static_cast<std::size_t>(last_event_kind) + 1> event_shapes{{
    {"", "", ""},
    {"the end of the backend", "", "x"},
    {"now", "", "i"},
    {"random", "", "x"},
    {"open_socket", "ii", "i"},
    {"bind", "da", "i"},
    {"listen", "di", "i"},
    {"local_address", "d", "ia"},
    {"peer_address", "d", "ia"},
    {"set_option", "diib", "i"},
    {"get_option", "diin", "ib"},
    {"shutdown", "di", "i"},
    {"close", "d", ""},
    {"adopt", "d", "i"},
    {"try_send", "dnx", "i"},
    {"try_accept", "d", "i"},
    {"submit", "dv", ""},
    {"cancel", "o", ""},
    {"completions that are left", "", ""},
    {"dispatch", "", "x"},
    {"a completion", "", "oV"},
    {"the end of a dispatch", "", ""},
    {"look_up", "b", "A"},
    {"draw_delay", "", "i"},
    {"a signal of the host", "", "i"},
    {"a signal", "", "i"},
    {"calls from", "m", ""},
    {"the answer to name lookup", "n", "Anb"},
    {"taking work back from the thread pool", "n", "n"},
    {"waiting until", "t", ""},
    {"connect", "da", "i"},
    {"try_send_to", "danx", "i"},
}};
static_assert(event_shapes.back().name != nullptr, "each kind has its line");

const Shape& shape_of(EventKind kind) noexcept { return event_shapes[static_cast<std::size_t>(kind)]; }

void append_sender(std::string& text, const Sender& sender) {
    const std::string number = std::to_string(sender.number);
    switch (sender.kind) {
    case Sender::Kind::loop: text += "the loop " + number; break;
    case Sender::Kind::thread: text += "thread " + number; break;
    case Sender::Kind::work: text += "work " + number + " in the thread pool"; break;
    case Sender::Kind::pool: text += "the thread pool, which ends"; break;
    case Sender::Kind::lookup: text += "name lookup " + number; break;
    }
}

void append_descriptor(std::string& text, std::uint64_t code) {
    if (code == 0) {
        text += "a descriptor of its own";
    } else if (code % 2 == 1) {
        text += std::to_string(code / 2);
    } else {
        text += "adopted socket " + std::to_string(code / 2);
    }
}

/// Reads the fields of `letters`, into `text` if there is one.
// NOLINTNEXTLINE(misc-no-recursion): verbs have fields of their own, which hold no verb
void read_fields(EventReader& reader, const char* letters, std::string* text) {
    bool first = true;
    for (const char* letter = letters; *letter != '\0' && reader.ok(); ++letter) {
        if (text && !std::exchange(first, false)) *text += ", ";
        switch (*letter) {
        case 'd': {
            const std::uint64_t code = reader.number();
            if (text) append_descriptor(*text, code);
            break;
        }
        case 'n': {
            const std::uint64_t value = reader.number();
            if (text) *text += std::to_string(value);
            break;
        }
        case 'i': {
            const std::int64_t value = reader.integer();
            if (text) *text += std::to_string(value);
            break;
        }
        case 'x': {
            char digits[24];
            std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(reader.fixed()));
            if (text) *text += digits;
            break;
        }
        case 'b': {
            const Bytes bytes = reader.bytes();
            if (text) *text += std::to_string(bytes.size()) + " bytes";
            break;
        }
        case 'a': {
            const Address address = reader.address();
            if (text) *text += address.str();
            break;
        }
        case 'A': {
            const std::uint64_t count = reader.number();
            for (std::uint64_t i = 1; i < count && reader.ok(); ++i) reader.bytes();
            if (text) *text += count == 0 ? "nobody" : std::to_string(count - 1) + " addresses";
            break;
        }
        case 'm': {
            const std::uint64_t count = reader.number();
            for (std::uint64_t i = 0; i < count && reader.ok(); ++i) {
                const Sender sender = reader.sender();
                if (!text) continue;
                if (i > 0) *text += ", ";
                append_sender(*text, sender);
            }
            break;
        }
        case 'o': {
            const std::uint64_t back = reader.number();
            if (text) *text += "the last operation";
            if (text && back > 0) *text += " but " + std::to_string(back);
            break;
        }
        case 't': {
            const std::uint64_t code = reader.number();
            if (text) *text += code == 0 ? "something happens" : std::to_string(code - 1) + " ns after the last now()";
            break;
        }
        case 'v':
        case 'V': {
            const std::uint64_t verb = reader.number();
            const VerbShape* shape = verb_shape(verb);
            if (!shape) return reader.fail();
            if (text) (*text += shape->name) += *letter == 'v' ? "" : " of ";
            if (*letter == 'v' && *shape->asks != '\0' && text) *text += ": ";
            read_fields(reader, *letter == 'v' ? shape->asks : shape->answers, text);
            break;
        }
        default: break;
        }
    }
}

}  // namespace

void Digest::mix(const std::byte* bytes) noexcept {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
        std::uint64_t word;
        std::memcpy(&word, bytes + lane * sizeof word, sizeof word);
        state_[lane] = (state_[lane] ^ word) * 0x9e3779b97f4a7c15;
        state_[lane] ^= state_[lane] >> 32;
    }
}

void Digest::add(Bytes bytes) noexcept {
    const std::size_t filled = size_ % block;
    size_ += bytes.size();
    if (filled > 0) {
        const Bytes part = bytes.first(block - filled);
        std::copy(part.begin(), part.end(), rest_.begin() + static_cast<std::ptrdiff_t>(filled));
        if (filled + part.size() < block) return;
        mix(rest_.data());
        bytes = bytes.skip(part.size());
    }
    for (; bytes.size() >= block; bytes = bytes.skip(block)) mix(bytes.data());
    std::copy(bytes.begin(), bytes.end(), rest_.begin());
}

std::uint64_t Digest::value() const noexcept {
    Digest last = *this;
    std::fill(last.rest_.begin() + static_cast<std::ptrdiff_t>(size_ % block), last.rest_.end(), std::byte{0});
    last.mix(last.rest_.data());
    std::uint64_t value = size_;
    for (const std::uint64_t lane : last.state_) {
        value = (value ^ lane) * 0x9e3779b97f4a7c15;
        value ^= value >> 32;
    }
    return value;
}

// Writing

EventBytes& EventBytes::number(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_.push_back(static_cast<std::byte>(value | 0x80));
    bytes_.push_back(static_cast<std::byte>(value));
    return *this;
}

EventBytes& EventBytes::fixed(std::uint64_t value) {
    for (unsigned i = 0; i < 8; ++i) bytes_.push_back(static_cast<std::byte>(value >> (8 * i)));
    return *this;
}

EventBytes& EventBytes::bytes(Bytes value) {
    number(value.size());
    bytes_.insert(bytes_.end(), value.begin(), value.end());
    return *this;
}

EventBytes& EventBytes::addresses(const std::vector<Address>* list) {
    number(list ? list->size() + 1 : 0);
    if (list) {
        for (const Address& each : *list) address(each);
    }
    return *this;
}

EventBytes& EventBytes::sent(std::span<const iovec> parts) {
    Digest digest;
    std::uint64_t size = 0;
    for (const iovec& part : parts) {
        digest.add({static_cast<const std::byte*>(part.iov_base), part.iov_len});
        size += part.iov_len;
    }
    return number(size).fixed(digest.value());
}

EventBytes& EventBytes::sender(const Sender& sender) {
    return number(static_cast<std::uint64_t>(sender.kind)).number(sender.loop).number(sender.number);
}

// Reading

EventKind EventReader::kind() noexcept {
    if (at_ == end_) return fail(), EventKind::none;
    const auto kind = static_cast<std::uint8_t>(*at_++);
    if (kind > static_cast<std::uint8_t>(last_event_kind)) return fail(), EventKind::none;
    return static_cast<EventKind>(kind);
}

std::uint64_t EventReader::number() noexcept {
    std::uint64_t value = 0;
    for (unsigned shift = 0; at_ != end_ && shift < 64; shift += 7) {
        const auto byte = static_cast<std::uint64_t>(*at_++);
        value |= (byte & 0x7f) << shift;
        if (byte < 0x80) return value;
    }
    fail();
    return 0;
}

std::uint64_t EventReader::fixed() noexcept {
    if (end_ - at_ < 8) return fail(), 0;
    std::uint64_t value = 0;
    for (unsigned i = 0; i < 8; ++i) value |= static_cast<std::uint64_t>(*at_++) << (8 * i);
    return value;
}

Bytes EventReader::bytes() noexcept {
    const std::uint64_t size = number();
    if (size > static_cast<std::uint64_t>(end_ - at_)) return fail(), Bytes();
    const Bytes bytes(at_, size);
    at_ += size;
    return bytes;
}

Address EventReader::address() noexcept {
    const Bytes raw = bytes();
    if (raw.empty()) return {};
    sockaddr_storage storage = {};
    if (raw.size() > sizeof storage) return fail(), Address();
    std::memcpy(&storage, raw.data(), raw.size());
    return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), static_cast<socklen_t>(raw.size()));
}

bool EventReader::addresses(std::vector<Address>& list) {
    list.clear();
    const std::uint64_t count = number();
    for (std::uint64_t i = 1; i < count && ok_; ++i) list.push_back(address());
    return count != 0;
}

Sender EventReader::sender() noexcept {
    const std::uint64_t kind = number();
    if (kind > static_cast<std::uint64_t>(Sender::Kind::lookup)) fail();
    const auto loop = static_cast<std::uint32_t>(number());
    return {static_cast<Sender::Kind>(kind), loop, number()};
}

void EventReader::skip(EventKind kind) noexcept {
    read_fields(*this, shape_of(kind).asks, nullptr);
    read_fields(*this, shape_of(kind).answers, nullptr);
}

std::string EventReader::describe(EventKind kind, bool answers) {
    const Shape& shape = shape_of(kind);
    std::string text = shape.name;
    if (kind == EventKind::dispatch || kind == EventKind::end) return text;  // a checksum tells nobody anything
    if (*shape.asks != '\0') {
        text += "(";
        read_fields(*this, shape.asks, &text);
        text += ")";
    }
    if (answers && *shape.answers != '\0') {
        text += " = ";
        read_fields(*this, shape.answers, &text);
    }
    return text;
}

bool asks_with_descriptor(EventKind kind) noexcept { return *shape_of(kind).asks == 'd'; }

}  // namespace lariat::io
