// SPDX-License-Identifier: MIT
// The awaitable verbs of File. Users meet them only as what its functions return.
#pragma once

#include <lariat/coro/operation.hpp>
#include <lariat/io/base/bytes.hpp>
#include <lariat/io/buffer.hpp>
#include <lariat/io/op.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace lariat {

class File;

namespace detail {

/// Something asked of a file. A disk may use the memory until it has answered: a cancelled wait ends with that answer.
class FileOperation : public OperationBase {
protected:
    using Action = io::FileRequest::Action;

    /// `file` is null where there is none yet.
    FileOperation(File* file, Action action, const char* verb) noexcept;
    ~FileOperation() = default;

    bool begin() noexcept;
    /// The bytes from `memory` on; before begin().
    void set_transfer(std::uint64_t offset, const std::byte* memory, std::size_t size) noexcept;
    /// Throws what the wait ended with, as the class of errors of a file called `path`.
    void check_file(const std::string& path) const;

    File* file_;
    Reactor* reactor_ = nullptr;
    io::FileOp op_;
    std::size_t left_ = 0;  // bytes that were not read or written yet
    std::int32_t result_ = 0;

private:
    static void on_completion(io::Op& op, io::Completion& completion) noexcept;
    bool goes_on() noexcept;
    bool withdraw() noexcept final;
    [[nodiscard]] const char* verb() const noexcept final { return verb_; }

    const char* verb_;
    bool withdrawn_ = false;
};

class OpenFile final : public Operation<OpenFile, FileOperation> {
public:
    OpenFile(std::string path, int flags, mode_t mode) noexcept;
    ~OpenFile();
    File await_resume();

private:
    friend Operation<OpenFile, FileOperation>;
    bool begin() noexcept;
    std::string path_;
};

/// Fills `into`; gives how many bytes there were.
class ReadFileAt final : public Operation<ReadFileAt, FileOperation> {
public:
    ReadFileAt(File& file, std::uint64_t offset, MutableBytes into) noexcept;
    std::size_t await_resume();

private:
    friend Operation<ReadFileAt, FileOperation>;
    std::size_t size_;
};

class ReadFileBuffer final : public Operation<ReadFileBuffer, FileOperation> {
public:
    ReadFileBuffer(File& file, std::uint64_t offset, std::size_t size);
    Buffer await_resume();

private:
    friend Operation<ReadFileBuffer, FileOperation>;
    Buffer buffer_;
};

class WriteFileAt final : public Operation<WriteFileAt, FileOperation> {
public:
    WriteFileAt(File& file, std::uint64_t offset, Bytes bytes) noexcept;
    void await_resume();

private:
    friend Operation<WriteFileAt, FileOperation>;
};

class SyncFile final : public Operation<SyncFile, FileOperation> {
public:
    SyncFile(File& file, Action action) noexcept : Operation(&file, action, "sync") {}
    void await_resume();

private:
    friend Operation<SyncFile, FileOperation>;
};

class MeasureFile final : public Operation<MeasureFile, FileOperation> {
public:
    explicit MeasureFile(File& file) noexcept : Operation(&file, Action::measure, "size") {}
    std::uint64_t await_resume();

private:
    friend Operation<MeasureFile, FileOperation>;
};

class CloseFile final : public Operation<CloseFile, FileOperation> {
public:
    explicit CloseFile(File& file) noexcept : Operation(&file, Action::close, "close") {}
    void await_resume();

private:
    friend Operation<CloseFile, FileOperation>;
};

}  // namespace detail
}  // namespace lariat
