// SPDX-License-Identifier: MIT
// Files as awaitables: whole transfers, errors, cancellation, and what a simulated disk loses with its power.
#include <lariat/coro/file.hpp>

#include <lariat/coro/as_result.hpp>
#include <lariat/coro/when_all.hpp>
#include <lariat/coro/with_timeout.hpp>
#include <lariat/test/support/coro_world.hpp>
#include <lariat/test/support/faults.hpp>
#include <lariat/test/support/io_world.hpp>
#include <lariat/test/support/sim_network.hpp>
#include <lariat/test/support/temporary_directory.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace lariat {
namespace {

using io::Fault;
using std::chrono::microseconds;

constexpr int create = O_RDWR | O_CREAT;

Task<std::string> read_all(File& file) {
    const std::uint64_t size = co_await file.size();
    const Buffer all = co_await file.read_at(0, size);
    co_return all.str();
}

Task<> write_and_read(std::string path) {
    File file = co_await open_file(path, create | O_EXCL, 0600);
    CHECK(file.path() == path);
    CHECK(co_await file.size() == 0);
    co_await file.write_at(0, "hello, world");
    co_await file.sync();
    co_await file.sync_data();
    CHECK(co_await file.size() == 12);
    std::byte part[5];
    CHECK(co_await file.read_at(7, part) == 5);
    CHECK(Bytes(part).text() == "world");
    CHECK(co_await file.read_at(10, part) == 2);
    CHECK(co_await file.read_at(12, part) == 0);
    const Buffer all = co_await file.read_at(0, std::size_t{100});
    CHECK(all.text() == "hello, world");
    File moved = std::move(file);
    CHECK_FALSE(file.is_open());
    co_await moved.close();
    CHECK_FALSE(moved.is_open());
}

LARIAT_BACKEND_TEST_CASE("a file is written, measured, synced, read and closed") {
    const test::TemporaryDirectory directory;
    test::run_on(backend_kind, write_and_read, directory.path_of("a"));
}

Task<std::string> use_closed() {
    File file;
    co_await file.sync();
    co_return "synced";
}
Task<std::string> open_missing(std::string path) {
    const File file = co_await open_file(path);
    co_return "opened";
}
Task<> fail(std::string path) {
    std::string outcome;
    co_await test::record(outcome, open_missing(path));
    CHECK(outcome == "FileError: open " + path + ": No such file or directory");
    co_await test::record(outcome, use_closed());
    CHECK(outcome == "FileError: sync : Bad file descriptor");
    try {
        const File file = co_await open_file(path);
    } catch (const FileError& error) {
        CHECK(error.os_error() == ENOENT);
    }
}

LARIAT_BACKEND_TEST_CASE("what fails says what was asked of which file") {
    const test::TemporaryDirectory directory;
    test::run_on(backend_kind, fail, directory.path_of("nothing"));
}

/// Runs `function(arguments...)` with `plan` between it and the backend.
template <class F, class... A>
io::FaultCounts run_faulty(io::BackendKind kind, const io::FaultPlan& plan, F function, A... arguments) {
    auto backend = test::faulty(kind, plan);
    const io::FaultBackend& faults = *backend;
    Reactor reactor(std::move(backend));
    std::exception_ptr failure;
    CHECK(run(reactor, test::keep_failure(failure, function(std::move(arguments)...))) == 0);
    CHECK(faults.ledger().descriptors == 0);
    if (failure) std::rethrow_exception(failure);
    return faults.counts();
}

Task<> write_and_read_much(std::string path) {
    const std::string text = test::pattern(300);
    File file = co_await open_file(path, create);
    co_await file.write_at(0, text);
    CHECK(co_await read_all(file) == text);
}

LARIAT_BACKEND_TEST_CASE("transfers that the system cuts short are made whole") {
    const test::TemporaryDirectory directory;
    const io::FaultPlan plan = io::FaultPlan().rate(Fault::short_read, 1000).rate(Fault::short_write, 1000);
    const io::FaultCounts counts = run_faulty(backend_kind, plan, write_and_read_much, directory.path_of("a"));
    CHECK(counts[Fault::short_read] > 1);
    CHECK(counts[Fault::short_write] > 1);
}

Task<std::string> sync_of(File& file) {
    co_await file.sync();
    co_return "synced";
}
Task<> sync_badly(std::string path) {
    File file = co_await open_file(path, create);
    std::string outcome;
    co_await test::record(outcome, sync_of(file));
    CHECK(outcome == "FileError: sync " + path + ": Input/output error");
}

LARIAT_BACKEND_TEST_CASE("a sync that fails is an error") {
    const test::TemporaryDirectory directory;
    const io::FaultPlan plan = io::FaultPlan().rate(Fault::failed_sync, 1000);
    CHECK(run_faulty(backend_kind, plan, sync_badly, directory.path_of("a"))[Fault::failed_sync] == 1);
}

// Cancellation: a disk that has begun is waited for, since it uses the memory.

Task<std::string> write_x(File& file, std::uint64_t offset) {
    co_await file.write_at(offset, "x");
    co_return "written";
}
Task<> cancel_writes(std::string path, bool both) {
    File file = co_await open_file(path, create);
    int written = 0, cancelled = 0;
    for (std::uint64_t i = 0; i < 40; ++i) {
        std::string outcome;
        const JoinHandle<> job = spawn(test::record, std::ref(outcome), write_x(file, i));
        CHECK(outcome == "nothing yet");
        job.cancel();
        co_await job;
        std::byte byte{};
        const bool there = co_await file.read_at(i, MutableBytes(&byte, 1)) == 1 && byte == std::byte{'x'};
        if (outcome == "written") {
            ++written;
            CHECK(there);
        } else {
            ++cancelled;
            CHECK(outcome == "Cancelled: requested");
            CHECK_FALSE(there);
        }
    }
    CHECK(written + cancelled == 40);
    if (both) CHECK((written > 0 && cancelled > 0));
}

LARIAT_BACKEND_TEST_CASE("a cancelled write is done and told, or not done") {
    const test::TemporaryDirectory directory;
    test::run_on(backend_kind, cancel_writes, directory.path_of("a"), backend_kind == io::BackendKind::sim);
}

Task<> lose_cancels(std::string path) {
    File file = co_await open_file(path, create);
    for (std::uint64_t i = 0; i < 10; ++i) {
        std::string outcome;
        const JoinHandle<> job = spawn(test::record, std::ref(outcome), write_x(file, i));
        job.cancel();
        co_await job;
        CHECK(outcome == "written");
    }
    CHECK(co_await file.size() == 10);
}

LARIAT_BACKEND_TEST_CASE("a result that came before the cancellation reached the disk is delivered") {
    const test::TemporaryDirectory directory;
    const io::FaultPlan plan = io::FaultPlan().rate(Fault::lost_cancel, 1000).turns(100'000);
    CHECK(run_faulty(backend_kind, plan, lose_cancels, directory.path_of("a"))[Fault::lost_cancel] == 10);
}

Task<std::string> write_precancelled(File& file) {
    co_await as_result(sleep(test::an_hour));
    co_await file.write_at(0, "x");
    co_return "written";
}
Task<std::string> open_precancelled(std::string path) {
    co_await as_result(sleep(test::an_hour));
    const File file = co_await open_file(path, create);
    co_return "opened";
}
Task<> cancel_before(std::string path, std::string other) {
    File file = co_await open_file(path, create);
    std::string writes, opens;
    const JoinHandle<> writer = spawn(test::record, std::ref(writes), write_precancelled(file));
    const JoinHandle<> opener = spawn(test::record, std::ref(opens), open_precancelled(other));
    writer.cancel();
    opener.cancel();
    co_await writer;
    co_await opener;
    CHECK(writes == "Cancelled: requested");
    CHECK(opens == "Cancelled: requested");
    CHECK(co_await file.size() == 0);
    co_await test::record(opens, open_missing(other));
    CHECK(opens.find("No such file") != std::string::npos);
}

LARIAT_BACKEND_TEST_CASE("nothing is asked of files in a cancelled task") {
    const test::TemporaryDirectory directory;
    test::run_on(backend_kind, cancel_before, directory.path_of("a"), directory.path_of("b"));
}

Task<std::string> open_within(std::string path, Duration limit) {
    const File file = co_await open_file(path, create).within(limit);
    co_return "opened";
}
Task<> time_out_opening(std::string path) {
    int opened = 0;
    for (int i = 0; i < 40; ++i) {
        std::string outcome;
        co_await test::record(outcome, open_within(path, microseconds(1)));
        if (outcome == "opened") {
            ++opened;
        } else {
            CHECK(outcome == "TimedOut: open timed out after 1 us");
        }
    }
    CHECK(opened < 40);
    CHECK(opened > 0);
}

TEST_CASE("a deadline that passes while a file is opened leaves nothing open") {
    test::run_on(io::BackendKind::sim, time_out_opening, "a");
}

Task<> leave_scope_while_writing(TaskScope& scope, File& file, std::string& outcome) {
    scope.spawn(test::record, std::ref(outcome), write_x(file, 0));
    scope.cancel(CancelReason::scope_exit);
    co_return;
}
Task<> exit_scope(std::string path) {
    File file = co_await open_file(path, create);
    std::string outcome;
    co_await with_scope(leave_scope_while_writing, std::ref(file), std::ref(outcome));
    CHECK((outcome == "written" || outcome == "Cancelled: scope exit"));
    CHECK((co_await file.size() == 1) == (outcome == "written"));
}

LARIAT_BACKEND_TEST_CASE("a scope ends when the disk has answered") {
    const test::TemporaryDirectory directory;
    test::run_on(backend_kind, exit_scope, directory.path_of("a"));
}

// What only a simulated disk can show.

Task<> log_two_lines() {
    File log = co_await open_file("log", create | O_APPEND);
    co_await log.write_at(0, "synced\n");
    co_await log.sync();
    co_await log.write_at(0, "in the cache\n");
    co_await sleep(test::an_hour);
}

TEST_CASE("a crash keeps what was synced, and the rest or not") {
    bool kept = false, lost = false;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        sim::World world(seed);
        sim::Host& host = world.add_host("server", {"10.0.0.1"});
        host.start("log", [] { return run(log_two_lines()); });
        world.run_until([&] { return host.disk().get("log") == "synced\nin the cache\n"; });
        host.crash();
        const std::string left = host.disk().get("log").value_or("nothing");
        CHECK(left.starts_with("synced\n"));
        (left == "synced\n" ? lost : kept) = true;
        world.end_programs();
    }
    CHECK(kept);
    CHECK(lost);
}

Task<> fill_disk(std::string& outcome) {
    File file = co_await open_file("big", create);
    co_await test::record(outcome, [](File& f) -> Task<std::string> {
        co_await f.write_at(0, "12345678");
        co_return "written";
    }(file));
    CHECK(co_await read_all(file) == "12345");
}

TEST_CASE("a full disk takes what fits and then says so") {
    std::string outcome;
    sim::World world(1);
    sim::Host& host = world.add_host("server", {"10.0.0.1"});
    host.disk().put("other", "123");
    host.disk().capacity(8);
    host.start("fill", [&] { return run(fill_disk(outcome)); });
    world.run();
    CHECK(outcome == "FileError: write big: No space left on device");
}

TEST_SUITE_BEGIN("file threads");

Task<> write_one(File& file, std::uint64_t index) {
    co_await file.write_at(index * 4, "abcd");
    std::byte back[4];
    CHECK(co_await file.read_at(index * 4, back) == 4);
    CHECK(Bytes(back).text() == "abcd");
}
Task<> write_many(std::string path) {
    File file = co_await open_file(path, create);
    std::vector<Task<>> writes;
    for (std::uint64_t i = 0; i < 50; ++i) writes.push_back(write_one(file, i));
    co_await when_all(std::move(writes));
    CHECK(co_await file.size() == 200);
}

LARIAT_KERNEL_TEST_CASE("files are used at several places at once") {
    const test::TemporaryDirectory directory;
    test::run_on(backend_kind, write_many, directory.path_of("a"));
}

TEST_SUITE_END();

}  // namespace
}  // namespace lariat
