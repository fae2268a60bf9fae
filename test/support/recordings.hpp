// SPDX-License-Identifier: MIT
// Recordings in tests: files that go away, the same program recorded and replayed, and the last words of one that dies.
#pragma once

#include <lariat/io/record/record_backend.hpp>
#include <lariat/io/record/replay_backend.hpp>
#include <lariat/test/support/child.hpp>
#include <lariat/test/support/temporary_directory.hpp>

#include <doctest/doctest.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

namespace lariat::test {

/// A file of its own, removed at the end.
class TemporaryFile {
public:
    TemporaryFile() { set_bytes(""); }

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] std::string bytes() const {
        std::ifstream file(path_, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    void set_bytes(const std::string& bytes) const { std::ofstream(path_, std::ios::binary) << bytes; }

private:
    TemporaryDirectory directory_;
    std::string path_ = directory_.path_of("file");
};

/// What `body`, which is to die, wrote to stderr; how it ended when it did not abort.
template <class Body>
std::string last_words(Body body) {
    const TemporaryFile words;
    const std::string end = in_child([&] {
        if (!std::freopen(words.path().c_str(), "w", stderr)) return std::string("no stderr");
        return std::string(body());
    });
    return end == "died of signal 6" ? words.bytes() : "it did not die: " + end;
}

/// Runs `program(std::unique_ptr<io::Backend>)`, which returns what it saw, on `backend` while it is recorded, then on
/// the recording, and requires the same of both; returns it.
template <class Program>
std::string record_and_replay(std::unique_ptr<io::Backend> backend, Program program) {
    const TemporaryFile first, second;
    const std::string recorded = program(std::make_unique<io::RecordBackend>(std::move(backend), first.path()));
    CHECK(program(std::make_unique<io::ReplayBackend>(first.path())) == recorded);
    auto replay = std::make_unique<io::ReplayBackend>(first.path());
    CHECK(program(std::make_unique<io::RecordBackend>(std::move(replay), second.path())) == recorded);
    CHECK(second.bytes() == first.bytes());
    return recorded;
}

}  // namespace lariat::test
