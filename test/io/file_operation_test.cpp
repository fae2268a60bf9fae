// SPDX-License-Identifier: MIT
// Files through the seam: the same answers from the disk of this machine and from that of a simulated host.
#include <lariat/io/base/error.hpp>
#include <lariat/test/support/backends.hpp>
#include <lariat/test/support/faults.hpp>
#include <lariat/test/support/io_world.hpp>
#include <lariat/test/support/temporary_directory.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <deque>
#include <fcntl.h>
#include <poll.h>

using namespace lariat;
using namespace lariat::test;
using io::FileRequest;
using Action = io::FileRequest::Action;

namespace {

using FileWork = Recorded<io::FileOp>;

/// Does what is asked of files one after another.
class Files {
public:
    explicit Files(World& world) : world_(world) {}

    std::int32_t open(const std::string& path, int flags) {
        FileWork work(world_, -1);
        work.op.path = path.c_str();
        work.op.flags = flags;
        work.op.mode = 0600;
        return world_.keep(ask(work, Action::open));
    }
    std::int32_t write(int fd, std::uint64_t offset, std::string_view bytes) {
        FileWork work(world_, fd);
        work.op.offset = offset;
        work.op.bytes = {const_cast<char*>(bytes.data()), bytes.size()};
        return ask(work, Action::write);
    }
    /// The bytes, as far as the file goes, or the error as text.
    std::string read(int fd, std::uint64_t offset, std::size_t size) {
        std::string all;
        for (;;) {
            const std::string more = read_once(fd, offset + all.size(), size - all.size());
            if (more.empty()) return all;
            all += more;
            if (all.size() >= size) return all;
        }
    }
    std::string read_once(int fd, std::uint64_t offset, std::size_t size) {
        std::string bytes(size, '?');
        FileWork work(world_, fd);
        work.op.offset = offset;
        work.op.bytes = {bytes.data(), size};
        const std::int32_t result = ask(work, Action::read);
        if (result < 0) return errno_text(-result);
        bytes.resize(static_cast<std::size_t>(result));
        return bytes;
    }
    std::int32_t measure(int fd) {
        FileWork work(world_, fd);
        const std::int32_t result = ask(work, Action::measure);
        return result == 0 ? static_cast<std::int32_t>(work.op.size) : result;
    }
    std::int32_t ask(int fd, Action action) {
        FileWork work(world_, fd);
        return ask(work, action);
    }

private:
    std::int32_t ask(FileWork& work, Action action) {
        work.op.action = action;
        work.submit();
        CHECK(work.results.empty());
        work.wait();
        CHECK(work.results.size() == 1);
        return work.last();
    }

    World& world_;
};

}  // namespace

TEST_SUITE_BEGIN("io files");

LARIAT_BACKEND_TEST_CASE("a file is created, written, measured, synced, read and closed") {
    const TemporaryDirectory directory;
    World world(backend_kind);
    Files files(world);
    const int fd = files.open(directory.path_of("a"), O_RDWR | O_CREAT | O_EXCL);
    REQUIRE(fd >= 0);
    CHECK(world->ledger().descriptors == 1);
    CHECK(files.write(fd, 0, "hello, world") == 12);
    CHECK(files.write(fd, 7, "there") == 5);
    CHECK(files.ask(fd, Action::sync) == 0);
    CHECK(files.ask(fd, Action::sync_data) == 0);
    CHECK(files.measure(fd) == 12);
    CHECK(files.read(fd, 0, 5) == "hello");
    CHECK(files.read(fd, 7, 100) == "there");
    CHECK(files.read(fd, 12, 100).empty());
    CHECK(files.ask(fd, Action::close) == 0);
    CHECK(world->ledger().descriptors == 0);
    world.forget(fd);
    const int again = files.open(directory.path_of("a"), O_RDONLY);
    CHECK(files.read(again, 0, 100) == "hello, there");
}

LARIAT_BACKEND_TEST_CASE("flags mean what open(2) says") {
    const TemporaryDirectory directory;
    World world(backend_kind);
    Files files(world);
    const std::string path = directory.path_of("a");
    CHECK(files.open(path, O_RDONLY) == -ENOENT);
    const int fd = files.open(path, O_WRONLY | O_CREAT | O_APPEND);
    CHECK(files.write(fd, 0, "one ") == 4);
    CHECK(files.write(fd, 0, "two") == 3);
    CHECK(files.read_once(fd, 0, 10) == "Bad file descriptor");
    CHECK(files.open(path, O_RDWR | O_CREAT | O_EXCL) == -EEXIST);
    CHECK(files.open(path, O_RDONLY | O_DIRECTORY) == -ENOTDIR);
    const int reader = files.open(path, O_RDONLY);
    CHECK(files.read(reader, 0, 10) == "one two");
    CHECK(files.write(reader, 0, "x") == -EBADF);
    const int cleared = files.open(path, O_RDWR | O_TRUNC);
    CHECK(files.measure(cleared) == 0);
    CHECK(files.write(cleared, 3, "x") == 1);
    CHECK(files.read(reader, 0, 10) == std::string("\0\0\0x", 4));
    CHECK(files.write(-1, 0, "x") == -EBADF);
}

LARIAT_BACKEND_TEST_CASE("a file is always ready, and no socket") {
    const TemporaryDirectory directory;
    World world(backend_kind);
    Files files(world);
    const int fd = files.open(directory.path_of("a"), O_RDWR | O_CREAT);
    Polling poll(world, fd);
    poll.op.events = POLLIN | POLLOUT;
    poll.submit();
    poll.wait();
    CHECK(poll.results == std::vector<std::int32_t>{POLLIN | POLLOUT});
    Receiving receive(world, fd);
    receive.submit();
    receive.wait();
    CHECK(receive.results.size() == 1);
    CHECK(receive.last() < 0);  // ENOTSOCK or, on io_uring, whatever comes first
}

LARIAT_BACKEND_TEST_CASE("many operations at once end once each, through tiny queues too") {
    const TemporaryDirectory directory;
    World world(backend_kind, io::BackendOptions().submission_entries(4).completion_entries(8));
    Files files(world);
    const int fd = files.open(directory.path_of("a"), O_RDWR | O_CREAT);
    const std::string text = pattern(64 * 100);
    std::deque<FileWork> work;
    for (std::size_t i = 0; i < 100; ++i) {
        FileWork& each = work.emplace_back(world, fd);
        each.op.action = Action::write;
        each.op.offset = i * 64;
        each.op.bytes = {const_cast<char*>(text.data()) + i * 64, 64};
        each.submit();
    }
    CHECK(world->ledger().operations == 100);
    for (FileWork& each : work) each.wait();
    for (const FileWork& each : work) CHECK(each.results == std::vector<std::int32_t>{64});
    CHECK(files.read(fd, 0, text.size()) == text);
}

LARIAT_BACKEND_TEST_CASE("a cancelled operation ends once, done or not done") {
    const TemporaryDirectory directory;
    World world(backend_kind);
    Files files(world);
    const int fd = files.open(directory.path_of("a"), O_RDWR | O_CREAT);
    std::deque<FileWork> work;
    for (std::size_t i = 0; i < 40; ++i) {
        FileWork& each = work.emplace_back(world, fd);
        each.op.action = Action::write;
        each.op.offset = i;
        each.op.bytes = {const_cast<char*>("x"), 1};
        each.submit();
    }
    for (FileWork& each : work) each.cancel();
    for (FileWork& each : work) each.wait();
    for (std::size_t i = 0; i < work.size(); ++i) {
        CAPTURE(i);
        REQUIRE(work[i].results.size() == 1);
        const bool done = work[i].last() == 1;
        if (!done) CHECK(work[i].last() == -ECANCELED);
        const std::string there = files.read(fd, i, 1);
        CHECK((there == "x") == done);
    }
}

LARIAT_BACKEND_TEST_CASE("faults of disks: short transfers, no descriptors, a sync that fails") {
    using io::Fault;
    const TemporaryDirectory directory;
    World world(faulty(backend_kind, io::FaultPlan()));
    io::FaultBackend& faults = faults_of(*world);
    Files files(world);
    const int fd = files.open(directory.path_of("a"), O_RDWR | O_CREAT);
    faults.set_plan(io::FaultPlan().rate(Fault::short_write, 1000));
    CHECK(files.write(fd, 0, "hello") < 5);
    faults.set_plan(io::FaultPlan());
    CHECK(files.write(fd, 0, "hello") == 5);
    faults.set_plan(io::FaultPlan().rate(Fault::short_read, 1000));
    CHECK(files.read_once(fd, 0, 5).size() < 5);
    faults.set_plan(io::FaultPlan().rate(Fault::failed_sync, 1000));
    CHECK(files.ask(fd, Action::sync) == -EIO);
    CHECK(files.ask(fd, Action::sync_data) == -EIO);
    CHECK(files.measure(fd) == 5);
    faults.set_plan(io::FaultPlan().rate(Fault::no_descriptors, 1000));
    CHECK(files.open(directory.path_of("b"), O_RDWR | O_CREAT) == -EMFILE);
    faults.set_plan(io::FaultPlan().rate(Fault::failed_transfer, 1000));
    CHECK(files.write(fd, 0, "x") == -ENOMEM);
    for (const Fault fault : {Fault::short_read, Fault::short_write, Fault::no_descriptors, Fault::failed_transfer}) {
        CHECK(faults.counts()[fault] == 1);
    }
    CHECK(faults.counts()[Fault::failed_sync] == 2);
}

TEST_SUITE_END();
