// SPDX-License-Identifier: MIT
#include <lariat/coro/file.hpp>

#include <lariat/io/base/assert.hpp>
#include <lariat/runtime/reactor.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdint>

namespace lariat {

File::File(File&& other) noexcept
    : reactor_(other.reactor_), path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {
    LARIAT_CHECK(other.under_way_ == 0, "a File was moved while something is awaited of it");
}

File& File::operator=(File&& other) noexcept {
    LARIAT_CHECK(other.under_way_ == 0, "a File was moved while something is awaited of it");
    if (this != &other) {
        close_now();
        reactor_ = other.reactor_;
        path_ = std::move(other.path_);
        fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
}

void File::close_now() noexcept {
    LARIAT_CHECK(under_way_ == 0, "a File was destroyed while something is awaited of it");
    if (fd_ >= 0) reactor_->backend().close(std::exchange(fd_, -1));
}

namespace detail {
namespace {

// What one operation transfers at most; results have 31 bits.
constexpr std::size_t longest_transfer = std::size_t{1} << 30;

std::size_t checked_size(std::size_t size) noexcept {
    LARIAT_CHECK(size <= UINT32_MAX, "a Buffer holds less than 4 GiB; read the file in pieces");
    return size;
}

}  // namespace

FileOperation::FileOperation(File* file, Action action, const char* verb) noexcept
    : file_(file), op_(on_completion, this), verb_(verb) {
    op_.action = action;
}

bool FileOperation::begin() noexcept {
    reactor_ = &this_reactor(verb_);
    if (file_) {
        if (!file_->is_open()) {
            result_ = -EBADF;
            return true;
        }
        op_.fd = file_->fd();
        ++file_->under_way_;
    }
    reactor_->backend().submit(op_);
    return false;
}

void FileOperation::on_completion(io::Op& op, io::Completion& completion) noexcept {
    auto& self = *static_cast<FileOperation*>(op.owner);
    self.result_ = completion.result;
    if (self.goes_on()) return self.reactor_->backend().submit(op);
    if (self.file_) --self.file_->under_way_;
    self.finish();
}

// After a part of the bytes; otherwise the wait ends, with the result unless that is only the cancellation's.
bool FileOperation::goes_on() noexcept {
    const bool transfers = op_.action == Action::read || op_.action == Action::write;
    if (transfers && result_ > 0) {
        const auto count = static_cast<std::size_t>(result_);
        set_transfer(op_.offset + count, static_cast<std::byte*>(op_.bytes.iov_base) + count, left_ - count);
        if (left_ > 0) return !withdrawn_;
    }
    if (result_ != -ECANCELED) prevail();
    return false;
}

void FileOperation::set_transfer(std::uint64_t offset, const std::byte* memory, std::size_t size) noexcept {
    op_.offset = offset;
    op_.bytes = {const_cast<std::byte*>(memory), std::min(size, longest_transfer)};
    left_ = size;
}

bool FileOperation::withdraw() noexcept {
    withdrawn_ = true;
    reactor_->backend().cancel(op_);
    return false;
}

void FileOperation::check_file(const std::string& path) const {
    check();
    if (result_ < 0) throw FileError(describe_errno(std::string(verb_) + " " + path, -result_), -result_);
}

OpenFile::OpenFile(std::string path, int flags, mode_t mode) noexcept
    : Operation(nullptr, Action::open, "open"), path_(std::move(path)) {
    result_ = -1;
    op_.flags = flags;
    op_.mode = mode;
}

OpenFile::~OpenFile() {
    if (result_ >= 0) reactor_->backend().close(result_);
}

bool OpenFile::begin() noexcept {
    op_.path = path_.c_str();
    return FileOperation::begin();
}

File OpenFile::await_resume() {
    check_file(path_);
    return File(*reactor_, std::exchange(result_, -1), std::move(path_));
}

ReadFileAt::ReadFileAt(File& file, std::uint64_t offset, MutableBytes into) noexcept
    : Operation(&file, Action::read, "read"), size_(into.size()) {
    set_transfer(offset, into.data(), into.size());
}

std::size_t ReadFileAt::await_resume() {
    check_file(file_->path());
    return size_ - left_;
}

ReadFileBuffer::ReadFileBuffer(File& file, std::uint64_t offset, std::size_t size)
    : Operation(&file, Action::read, "read"), buffer_(checked_size(size)) {
    set_transfer(offset, buffer_.data(), size);
}

Buffer ReadFileBuffer::await_resume() {
    check_file(file_->path());
    buffer_.truncate(buffer_.size() - left_);
    return std::move(buffer_);
}

WriteFileAt::WriteFileAt(File& file, std::uint64_t offset, Bytes bytes) noexcept
    : Operation(&file, Action::write, "write") {
    set_transfer(offset, bytes.data(), bytes.size());
}

void WriteFileAt::await_resume() { check_file(file_->path()); }

void SyncFile::await_resume() { check_file(file_->path()); }

std::uint64_t MeasureFile::await_resume() {
    check_file(file_->path());
    return op_.size;
}

void CloseFile::await_resume() {
    if (io::change_of_descriptors(op_, result_) < 0) file_->fd_ = -1;
    check_file(file_->path());
}

}  // namespace detail
}  // namespace lariat
