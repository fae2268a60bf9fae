#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mutants.py [SEEDS [TEXT]]: plants one defect at a time in a copy of the tree and says how many seeds find it.

Each is a slip that a person could make. SEEDS, 2000 unless told, is how many of `./dev sim` may be needed; TEXT chooses
the defects whose description contains it. Prints the rows behind the table in docs/testing.md. Fails when a defect
survives all seeds, or when the line it changes is not there any more. `mutants.py --check` looks for the lines only.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# What it is, where, the text, what it becomes.
MUTANTS = [
    ("a cancellation is dropped: shutdown does not reach what a task waits for", "coro/operation.cpp",
     "{ end_early(Outcome::cancelled, reason); }",
     "{\n    if (reason != CancelReason::shutdown) end_early(Outcome::cancelled, reason);\n}"),
    ("a completion comes twice: the end of the stream is told twice", "runtime/connection.cpp",
     "user_->ended();", "user_->ended(), user_->ended();"),
    ("a wake-up is lost: who waits for an empty queue is not told", "runtime/connection.cpp",
     "    if (user_) user_->drained();\n", ""),
    ("a buffer is freed too early: a slice does not count", "io/buffer.hpp",
     "        ++chunk_->references;\n", ""),
    ("a receive is not armed again when reading is resumed", "runtime/connection.cpp",
     "    if (!receive_.in_flight() && !read_ended_ && read_error_ == 0) reactor_->backend().submit(receive_);\n",
     "    if (later_.is_scheduled()) return;\n"
     "    if (!receive_.in_flight() && !read_ended_ && read_error_ == 0) reactor_->backend().submit(receive_);\n"),
    ("a multishot accept is not armed again after it failed", "runtime/acceptor.cpp",
     "            reactor.timers().arm(retry, reactor.now() + exhausted_pause);\n", ""),
    ("bytes are sent twice: what a full socket took is not counted", "runtime/connection.cpp",
     "        if (sent > 0) queue_.consume(static_cast<std::size_t>(sent));\n",
     "        if (sent == static_cast<std::ptrdiff_t>(bytes)) queue_.consume(bytes);\n"),
    ("bytes are lost: closing drops what was not sent yet", "runtime/connection.cpp",
     "    state_ = State::flushing;\n    wants_read_ = false;\n",
     "    state_ = State::flushing;\n    queue_.clear();\n    wants_read_ = false;\n"),
    ("a descriptor leaks: a connection that fails keeps its socket", "runtime/connect_attempt.cpp",
     "if (result < 0 || !self->handle) self->reactor", "if (!self->handle) self->reactor"),
    ("an end is taken for bytes: what came before it is not delivered", "runtime/connection.cpp",
     "        read_ended_ = true;\n", "        read_ended_ = true;\n        parked_.clear();\n"),
    ("a half-closed stream is taken for closed: the end of one direction ends both", "proto/tcp_transport.cpp",
     "    if (read_ended_) connection_->close();\n}\n\nvoid TcpTransport::closed",
     "    connection_->close();\n}\n\nvoid TcpTransport::closed"),
    ("a result is taken away: a cancellation wins over what was handed over", "coro/sync/wait_queue.cpp",
     "    wait.settle();\n", ""),
    ("a call from another thread does not wake a loop that sleeps", "runtime/reactor.hpp",
     "        if (mailbox_.post(mail)) backend_->wake();\n", "        (void)mailbox_.post(mail);\n"),
    ("the end of a task is lost: one that ends because it was cancelled", "coro/task_root.cpp",
     "    if (ended_) {\n        finish();\n    } else {\n        context_.deliver();\n    }\n",
     "    if (context_.was_requested()) {\n        context_.deliver();\n    } else {\n        finish();\n    }\n"),
    ("a timer is not disarmed: the limit for connecting ends the connection", "proto/connector.cpp",
     "    if (timeout_.active()) timeout_.cancel();\n", ""),
    ("bytes are overtaken: what comes is delivered before what waits", "runtime/connection.cpp",
     "        if (wants_read_ && parked_.empty()) {\n", "        if (wants_read_) {\n"),
    ("a Deferred fires twice: the end of an attempt to connect is told by its limit, too", "proto/connector.cpp",
     "void Connector::connection_failed(const Failure& reason) {\n",
     "void Connector::connection_failed(const Failure& reason) {\n"
     "    if (reason.check<TimeoutError>()) factory_->client_connection_failed(*this, reason);\n"),
    ("datagrams are not received any more after receiving has failed once", "runtime/datagram_socket.cpp",
     "            reactor.timers().arm(retry, reactor.now() + failed_pause);\n", ""),
    ("a wake-up is lost: who waits for room for a datagram is not told", "runtime/datagram_socket.cpp",
     "        while (RoomWaiter* waiter = in_turn.pop_front()) waiter->room();\n",
     "        while (RoomWaiter* waiter = in_turn.pop_front()) if (closing) waiter->room();\n"),
]


def run(command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **more)


def build(tree):
    """Optimised a little, with assertions, without sanitizers: most seeds in the time there is."""
    folder = tree / "build"
    cache = "ccache " if shutil.which("ccache") else ""
    environment = {**os.environ, "CC": cache + "gcc", "CXX": cache + "g++",
                   "CCACHE_NOHASHDIR": "1", "CCACHE_BASEDIR": str(tree)}
    if not folder.exists():
        done = run(["meson", "setup", "-Dbuildtype=plain", "-Doptimization=1", "-Db_ndebug=false", "-Dfew_units=all",
                    "-Dheader_tests=false", "-Dbench=false", "-Dexamples=false", str(folder)],
                   cwd=tree, env=environment)
        if done.returncode != 0:
            sys.exit(done.stdout)
    done = run(["nice", "-n", "19", "ninja", "-j2", "-C", str(folder), "test/sim/lariat-sim"], env=environment)
    if done.returncode != 0:
        sys.exit(done.stdout[-3000:])
    return folder / "test/sim/lariat-sim"


def first_failure(program, seeds):
    """The first seed that fails and what it says; None when none does."""
    done = run(["nice", "-n", "19", str(program), "--seeds", str(seeds), "--until-failure"],
               env={**os.environ, "MALLOC_PERTURB_": "165"})  # freed memory does not look alive
    found = re.search(r"^seed (\d+), (\w+): (.*)$", done.stdout, re.MULTILINE)
    if not found:
        if done.returncode != 0:
            sys.exit(done.stdout[-3000:])
        return None
    panic = re.search(r"^lariat: panic: (.*) \(", done.stdout, re.MULTILINE)
    return int(found.group(1)), found.group(2), panic.group(1) if panic else found.group(3)


def planted(text, what, path, old, new):
    """`text`, that of the file `path`, with the defect in it."""
    if text.count(old) != 1:
        sys.exit(f"{path}: the line of the defect '{what}' is not there once")
    return text.replace(old, new)


def check():
    for what, path, old, new in MUTANTS:
        planted((ROOT / path).read_text(encoding="utf-8"), what, path, old, new)


def main(seeds, text):
    survivors = 0
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns("build*", ".git"))
        if (failure := first_failure(build(tree), min(seeds, 200))) is not None:
            sys.exit(f"seed {failure[0]} fails without a defect: {failure[2]}")
        print("| defect | seeds | found as |\n|---|---|---|", flush=True)
        for what, path, old, new in MUTANTS:
            if text not in what:
                continue
            file = tree / path
            before = file.read_text(encoding="utf-8")
            file.write_text(planted(before, what, path, old, new), encoding="utf-8")
            failure = first_failure(build(tree), seeds)
            file.write_text(before, encoding="utf-8")
            survivors += failure is None
            seed, scenario, found = failure or ("not found", "", "")
            print(f"| {what} | {seed} | {scenario}: {found[:100]} |", flush=True)
    return 1 if survivors else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(check())
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000, sys.argv[2] if len(sys.argv) > 2 else ""))
