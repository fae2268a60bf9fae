// SPDX-License-Identifier: MIT
#include <lariat/runtime/mailbox.hpp>

#include <utility>

namespace lariat {

// Takes everything and turns it around: oldest first.
Mail* Mailbox::take() noexcept {
    if (empty()) return nullptr;  // spares an idle loop the locked exchange
    Mail* newest = newest_.exchange(nullptr, std::memory_order_acquire);
    Mail* oldest = nullptr;
    while (newest) {
        Mail* next = std::exchange(newest->next_, oldest);
        oldest = std::exchange(newest, next);
    }
    return oldest;
}

void Mailbox::run_all() noexcept {
    for (Mail* mail = take(); mail;) {
        Mail* next = mail->next_;
        run(*mail);
        mail = next;
    }
}

void Mailbox::drop_all() noexcept {
    while (Mail* mail = take()) {
        do {
            Mail* next = mail->next_;
            drop(*mail);
            mail = next;
        } while (mail);
    }
}

}  // namespace lariat
