// SPDX-License-Identifier: MIT
#include <lariat/io/epoll/file_workers.hpp>

#include <lariat/io/backend.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <pthread.h>
#include <system_error>
#include <unistd.h>

namespace lariat::io {
namespace {

template <class Call>
std::int32_t repeated(Call call) noexcept {
    for (;;) {
        const auto result = call();
        if (result >= 0) return static_cast<std::int32_t>(result);
        if (errno != EINTR) return -errno;
    }
}

/// Signals go to the threads of the program.
class SignalsBlocked {
public:
    SignalsBlocked() noexcept {
        sigset_t all;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;
    ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
    sigset_t before_;
};

}  // namespace

std::int32_t perform(FileOp& op) noexcept {
    const auto offset = static_cast<off_t>(op.offset);
    switch (op.action) {
    case FileOp::Action::open: return repeated([&] { return ::open(op.path, op.flags | O_CLOEXEC, op.mode); });
    case FileOp::Action::read:
        return repeated([&] { return ::pread(op.fd, op.bytes.iov_base, op.bytes.iov_len, offset); });
    case FileOp::Action::write:
        return repeated([&] { return ::pwrite(op.fd, op.bytes.iov_base, op.bytes.iov_len, offset); });
    case FileOp::Action::sync: return repeated([&] { return ::fsync(op.fd); });
    case FileOp::Action::sync_data: return repeated([&] { return ::fdatasync(op.fd); });
    case FileOp::Action::measure: {
        struct stat status = {};
        const std::int32_t result = repeated([&] { return ::fstat(op.fd, &status); });
        op.size = static_cast<std::uint64_t>(status.st_size);
        return result;
    }
    case FileOp::Action::close: return ::close(op.fd) == 0 || errno == EINTR ? 0 : -errno;
    }
    return -EINVAL;
}

FileWorkers::~FileWorkers() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

bool FileWorkers::push(FileOp& op) {
    const std::lock_guard lock(mutex_);
    if (idle_ <= queue_.size() && threads_.size() < most_threads) {
        try {
            const SignalsBlocked blocked;
            threads_.emplace_back([this] { work(); });
            ::pthread_setname_np(threads_.back().native_handle(), "lariat-files");
        } catch (const std::system_error&) {
            if (threads_.empty()) return false;  // with others it only waits longer
        }
    }
    queue_.push_back(&op);
    changed_.notify_one();
    return true;
}

bool FileWorkers::withdraw(FileOp& op) {
    const std::lock_guard lock(mutex_);
    return std::erase(queue_, &op) > 0;
}

void FileWorkers::take_done(std::vector<Done>& into) {
    const std::lock_guard lock(mutex_);
    into.insert(into.end(), done_.begin(), done_.end());
    done_.clear();
}

void FileWorkers::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        while (queue_.empty() && !stopping_) {
            ++idle_;
            changed_.wait(lock);
            --idle_;
        }
        if (queue_.empty()) return;
        FileOp& op = *queue_.front();
        queue_.pop_front();
        lock.unlock();
        const std::int32_t result = perform(op);
        lock.lock();
        done_.push_back({&op, result});
        lock.unlock();
        backend_.wake();
        lock.lock();
    }
}

}  // namespace lariat::io
