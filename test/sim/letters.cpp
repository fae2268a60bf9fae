// SPDX-License-Identifier: MIT
// Letters over UDP: a writer sends a letter page by page, each again until the reader confirms it, and starts over when
// a reader that has restarted does not know the letter. Readers are a UdpSocket or a DatagramProtocol; writers are
// connected or not. Whatever the network does: no datagram is invented or damaged, none comes more often than the
// network doubles it, each comes from where it was sent; and once the network is whole, every letter gets there.
#include "pattern.hpp"
#include "trial.hpp"
#include <lariat/lariat.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <utility>

namespace lariat::test {
namespace {

using namespace std::chrono_literals;

constexpr Duration quiet_from = 20s;
constexpr std::uint16_t port = 25;

struct Letter {
    std::uint64_t number;
    Pattern text;
    std::size_t page;  // bytes on each
    std::size_t pages;

    [[nodiscard]] std::string text_of(std::size_t at) const { return text.text(at * page, page); }
};

/// What a datagram says: "17 page 3 0 letter's text", "18 confirms 3 0", "19 unknown 3 0".
struct Message {
    std::string verb;
    std::uint64_t letter = 0;
    std::size_t page = 0;
    std::string rest;
};

/// Everything that was ever sent, and the letters that have arrived; of all hosts, whatever becomes of them.
class Post {
public:
    explicit Post(Trial& trial) : trial_(trial) {}

    Letter& write(Random& random) {
        const std::uint64_t number = letters_.size() + 1;
        const std::size_t size = random.between(1, 20'000), page = random.between(20, random.chance(200) ? 9000 : 1400);
        const Letter letter{number, Pattern(random.next(), size), page, (size + page - 1) / page};
        return letters_.emplace(number, letter).first->second;
    }
    const Letter& letter(std::uint64_t number) const { return letters_.at(number); }
    void delivered(const Letter& letter) { delivered_.insert(letter.number); }
    [[nodiscard]] bool has_delivered(const Letter& letter) const { return delivered_.contains(letter.number); }

    /// The datagram for `message`, which leaves `from`.
    std::string stamp(const Message& message, const Address& from) {
        const std::uint64_t number = sent_.size();
        std::string text = std::to_string(number) + " " + message.verb + " " + std::to_string(message.letter) + " "
                           + std::to_string(message.page) + " " + message.rest;
        sent_.push_back({text, from, 0});
        return text;
    }
    /// What a datagram says; nothing when it is not one of ours.
    std::optional<Message> read(const Datagram& datagram) {
        const std::string text = datagram.data.str();
        std::istringstream in(text);
        std::uint64_t number = 0;
        Message message;
        const bool read = static_cast<bool>(in >> number >> message.verb >> message.letter >> message.page);
        const bool known = read && number < sent_.size() && sent_[number].text == text && !datagram.truncated;
        trial_.require(known, "a datagram was invented or damaged");
        if (!known) return std::nullopt;
        Sent& sent = sent_[number];
        trial_.require(++sent.received <= 2, "a datagram came more often than the network doubles it");
        trial_.require(datagram.from == sent.from, "a datagram came from elsewhere");
        in.get();
        message.rest = text.substr(static_cast<std::size_t>(in.tellg()));
        return message;
    }

private:
    struct Sent {
        std::string text;
        Address from;
        int received;
    };

    Trial& trial_;
    std::map<std::uint64_t, Letter> letters_;
    std::set<std::uint64_t> delivered_;
    std::vector<Sent> sent_;
};

/// Where a host's datagrams come from that leave a socket bound to `local`, whichever host they go to.
Address source(Trial& trial, const std::string& host, const Address& local) {
    Address from = trial.world.host(host).addresses().front();
    from.set_port(local.port());
    return from;
}

/// One life of a reader: what it has of which letters.
class Reader {
public:
    Reader(Trial& trial, Post& post) : trial_(trial), post_(post) {}

    /// The answer; none when there is nothing to say.
    std::optional<Message> answer(const Message& message) {
        if (message.verb != "page") return std::nullopt;
        const Letter& letter = post_.letter(message.letter);
        if (message.page == 0) read_.try_emplace(letter.number, 0);
        const auto found = read_.find(letter.number);
        if (found == read_.end()) return Message{"unknown", letter.number, message.page, ""};
        std::size_t& next = found->second;
        if (message.page > next) return std::nullopt;  // of before this reader began anew
        trial_.require(message.rest == letter.text_of(message.page), "a page has other words");
        if (message.page == next && ++next == letter.pages) post_.delivered(letter);
        return Message{"confirms", letter.number, message.page, ""};
    }

private:
    Trial& trial_;
    Post& post_;
    std::map<std::uint64_t, std::size_t> read_;  // pages of each letter
};

Task<> read_letters(Trial& trial, Post& post, std::string host, UdpSocket& socket) {
    Reader reader(trial, post);
    const Address from = source(trial, host, socket.local_address());
    for (;;) {
        const Datagram datagram = co_await socket.receive_from();
        const auto message = post.read(datagram);
        const auto answer = message ? reader.answer(*message) : std::nullopt;
        if (!answer) continue;
        const std::string text = post.stamp(*answer, from);
        try {
            co_await socket.send_to(text, datagram.from);
        } catch (const Error&) {  // lost
        }
    }
}

class ReaderProtocol final : public DatagramProtocol {
public:
    ReaderProtocol(Trial& trial, Post& post, std::string host)
        : trial_(trial), post_(post), reader_(trial, post), host_(std::move(host)) {
        set_noisy(false);
    }
    void datagram_received(Bytes datagram, const Address& from) override {
        const auto message = post_.read({from, Buffer::copy_of(datagram)});
        const auto answer = message ? reader_.answer(*message) : std::nullopt;
        if (!answer) return;
        try {
            transport().write(post_.stamp(*answer, source(trial_, host_, transport().host())), from);
        } catch (const Error&) {  // lost
        }
    }

private:
    Trial& trial_;
    Post& post_;
    Reader reader_;
    std::string host_;
};

int read(Trial& trial, Post& post, const std::string& host, bool with_protocol) {
    return trial.run_program(host, [&](Reactor& reactor) {
        if (with_protocol) {
            const auto protocol = std::make_shared<ReaderProtocol>(trial, post, host);
            insist([&] { return reactor.listen_udp(port, protocol); });
            reactor.run();
            return 0;
        }
        UdpSocket socket = insist([&] { return UdpSocket(reactor, Address::any_ipv4(port)); });
        return lariat::run(reactor, read_letters(trial, post, host, socket));
    });
}

/// What the reader says to a page, true when it has it; however many other datagrams come before.
Task<bool> confirmed(Post& post, UdpSocket& socket, const Letter& letter, std::size_t page) {
    for (;;) {
        std::optional<Message> message;
        try {
            message = post.read(co_await socket.receive_from());
        } catch (const ConnectError&) {  // the reader was not there
        }
        if (message && message->letter == letter.number && message->page == page) co_return message->verb == "confirms";
    }
}

/// True when all pages were confirmed, false when the reader knows nothing of the letter.
Task<bool> send_pages(Post& post, UdpSocket& socket, const Letter& letter, Address to, Address from) {
    for (std::size_t page = 0; page < letter.pages; ++page) {
        std::optional<bool> answer;
        for (Duration patience = 250ms; !answer; patience = std::min<Duration>(2 * patience, 2s)) {
            const std::string text = post.stamp({"page", letter.number, page, letter.text_of(page)}, from);
            try {
                co_await socket.send_to(text, to);
                answer = co_await with_timeout(patience, confirmed(post, socket, letter, page));
            } catch (const Error&) {  // it could not be sent, or nobody answered in time
            }
        }
        if (!*answer) co_return false;
    }
    co_return true;
}

Task<> write_letter(Trial& trial, Post& post, const std::string& host, Random random) {
    UdpSocket socket = insist([] { return UdpSocket(Address::any_ipv4(0)); });
    Address to = trial.world.host("reader").addresses().front();
    to.set_port(port);
    if (random.chance(500)) socket.connect(to);
    const Address from = source(trial, host, socket.local_address());
    const Letter& letter = post.write(random);
    while (!co_await send_pages(post, socket, letter, to, from)) {}
    trial.require(post.has_delivered(letter), "a letter was confirmed that never arrived");
}

Task<> write_several(TaskScope& scope, Trial& trial, Post& post, const std::string& host, Random random) {
    spawn_some(scope, random, write_letter, trial, post, host);
    co_return;
}

int write(Trial& trial, Post& post, const std::string& host) {
    return trial.run_program(host, [&](Reactor& reactor) {
        return lariat::run(
            reactor, with_scope(write_several, std::ref(trial), std::ref(post), std::cref(host), trial.random(host)));
    });
}

}  // namespace

void letters(Trial& trial) {
    Random random = trial.random("hosts");
    const auto post = std::make_shared<Post>(trial);
    const bool with_protocol = random.chance(500);
    trial.run_hosts({"reader"}, random.between(1, 3), quiet_from,
                    [&trial, post, with_protocol](const std::string& host) {
                        return host == "reader" ? read(trial, *post, host, with_protocol) : write(trial, *post, host);
                    });
}

}  // namespace lariat::test
