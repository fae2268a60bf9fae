// SPDX-License-Identifier: MIT
#include <lariat/runtime/resolver_getaddrinfo.hpp>

#include <lariat/io/base/error.hpp>

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <netdb.h>
#include <pthread.h>
#include <string>
#include <thread>
#include <utility>

namespace lariat {
namespace {

// A slow name server holds up no more than this many lookups at a time; the C library itself has no limit.
constexpr unsigned max_threads = 4;

int domain_of(Address::Family family) noexcept {
    if (family == Address::Family::ipv4) return AF_INET;
    if (family == Address::Family::ipv6) return AF_INET6;
    return AF_UNSPEC;
}

ResolveResult look_up_now(const NameResolver::Query& query) {
    addrinfo hints = {};
    hints.ai_family = domain_of(query.family);
    hints.ai_socktype = SOCK_STREAM;  // one entry per address instead of one per kind of socket
    addrinfo* list = nullptr;
    const int error = ::getaddrinfo(query.host.c_str(), nullptr, &hints, &list);
    if (error != 0) {
        const int system_error = errno;
        const std::string text = error == EAI_SYSTEM ? errno_text(system_error) : ::gai_strerror(error);
        return lookup_failed(query.host, "[Errno " + std::to_string(error) + "] " + text);
    }
    ResolveResult result;
    for (const addrinfo* entry = list; entry; entry = entry->ai_next) {
        Address address = Address::from_sockaddr(entry->ai_addr, entry->ai_addrlen);
        address.set_port(query.port);
        result.addresses.push_back(address);
    }
    ::freeaddrinfo(list);
    return result;
}

}  // namespace

struct GetaddrinfoResolver::Shared {
    struct Job {
        Query query;
        Answer answer;
    };

    // Keeps the state alive until its thread has ended.
    static void work(std::shared_ptr<Shared> self) noexcept;

    std::mutex mutex;  // guards everything below
    std::condition_variable changed;
    std::deque<Job> queue;
    unsigned threads = 0;
    unsigned idle = 0;
    bool closed = false;
};

void GetaddrinfoResolver::Shared::work(std::shared_ptr<Shared> self) noexcept {
    std::unique_lock lock(self->mutex);
    for (;;) {
        while (self->queue.empty() && !self->closed) {
            ++self->idle;
            self->changed.wait(lock);
            --self->idle;
        }
        if (self->closed) break;
        Job job = std::move(self->queue.front());
        self->queue.pop_front();
        lock.unlock();
        try {
            job.answer(look_up_now(job.query));
        } catch (const std::exception&) {
            // Out of memory: whoever asked hears of it through the timeout.
        }
        job.answer.reset();
        lock.lock();
    }
    --self->threads;
    self->changed.notify_all();
}

GetaddrinfoResolver::GetaddrinfoResolver() : shared_(std::make_shared<Shared>()) {}

GetaddrinfoResolver::~GetaddrinfoResolver() {
    std::deque<Shared::Job> dropped;
    std::unique_lock lock(shared_->mutex);
    shared_->closed = true;
    dropped.swap(shared_->queue);
    shared_->changed.notify_all();
    shared_->changed.wait(lock, [&] { return shared_->idle == 0; });
    lock.unlock();
}

void GetaddrinfoResolver::look_up(const Query& query, Answer answer) {
    const std::lock_guard lock(shared_->mutex);
    shared_->queue.push_back({query, std::move(answer)});
    if (shared_->queue.size() > shared_->idle && shared_->threads < max_threads) {
        std::thread thread(&Shared::work, shared_);
        ++shared_->threads;
        pthread_setname_np(thread.native_handle(), "lariat-resolver");
        thread.detach();
    }
    shared_->changed.notify_one();
}

}  // namespace lariat
