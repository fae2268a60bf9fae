// SPDX-License-Identifier: MIT
#include <lariat/runtime/taped_mail.hpp>

#include <lariat/io/base/log.hpp>
#include <lariat/runtime/sender.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <utility>

namespace lariat {
namespace {

// How long a replay waits for another thread before it says so.
constexpr Duration patience = std::chrono::seconds(5);

}  // namespace

io::Sender own_thread() noexcept {
    static constinit std::atomic<std::uint64_t> threads{0};
    constinit thread_local std::uint64_t number = 0;
    if (number == 0) number = threads.fetch_add(1, std::memory_order_relaxed) + 1;
    return {io::Sender::Kind::thread, 0, number};
}

void TapedMail::run() noexcept {
    collect();
    std::vector<Held> now;
    if (tape_.replays()) {
        replay(now);
    } else {
        now = std::exchange(held_, {});
        std::vector<io::Sender> senders;
        for (const Held& held : now) senders.push_back(held.sender);
        const bool others = std::any_of(senders.begin(), senders.end(), [&](auto& sender) { return sender != own_; });
        if (others) tape_.mail(senders);
    }
    for (const Held& held : now) Mailbox::run(*held.mail);
}

void TapedMail::replay(std::vector<Held>& now) {
    std::vector<io::Sender> senders;
    if (tape_.mail(senders)) {
        for (const io::Sender& sender : senders) {
            Mail* const mail = sender == own_ ? take(sender) : wait_for(sender);
            if (!mail) tape_.diverged("made fewer calls to its loop with call_from_thread() or the like");
            now.push_back({mail, sender});
        }
        if (has_own()) tape_.diverged("made more calls to its loop with call_from_thread() or the like");
    } else {
        while (Mail* const mail = take(own_)) now.push_back({mail, own_});
    }
}

void TapedMail::drop() noexcept {
    for (const Held& held : std::exchange(held_, {})) Mailbox::drop(*held.mail);
    mailbox_.drop_all();
}

bool TapedMail::has_own() noexcept {
    collect();
    return std::any_of(held_.begin(), held_.end(), [&](const Held& held) { return held.sender == own_; });
}

void TapedMail::collect() {
    mailbox_.take_each([this](Mail& mail, const io::Sender& sender) { held_.push_back({&mail, known_as(sender)}); });
}

// Threads have numbers of this process, which others than the recorded ones may have used up.
io::Sender TapedMail::known_as(const io::Sender& sender) {
    const bool loop = sender.kind == io::Sender::Kind::loop && sender.number < unrecorded_loops;
    const bool work = sender.kind == io::Sender::Kind::work && sender.loop == own_.number;
    const bool other = sender.kind == io::Sender::Kind::lookup || sender.kind == io::Sender::Kind::pool;
    if (loop || work || other) return sender;
    auto found = std::find(threads_.begin(), threads_.end(), sender);
    if (found == threads_.end()) found = threads_.insert(found, sender);
    return {io::Sender::Kind::thread, 0, static_cast<std::uint64_t>(found - threads_.begin()) + 1};
}

Mail* TapedMail::take(const io::Sender& sender) noexcept {
    const auto found =
        std::find_if(held_.begin(), held_.end(), [&](const Held& held) { return held.sender == sender; });
    if (found == held_.end()) return nullptr;
    Mail* const mail = found->mail;
    held_.erase(found);
    return mail;
}

Mail* TapedMail::wait_for(const io::Sender& sender) {
    bool said = false;
    for (;;) {
        if (Mail* const mail = take(sender)) return mail;
        if (mailbox_.begin_sleep() && !tape_.sleep(patience) && !std::exchange(said, true)) {
            log(LogLevel::warn, "replay",
                "another thread called here when this run was recorded, and has not called yet; waiting for it");
        }
        mailbox_.end_sleep();
        collect();
    }
}

}  // namespace lariat
