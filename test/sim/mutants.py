#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mutants.py [SEEDS]: plants one defect at a time in a copy of the tree and says how many seeds it takes to find it.

Prints the table of docs/testing.md. Fails when a defect survives all seeds (2000 unless told), or when the line it
changes is not there any more.
"""

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
     "    withdraw();\n    outcome_ = Outcome::cancelled;",
     "    if (reason == CancelReason::shutdown) return;\n    withdraw();\n    outcome_ = Outcome::cancelled;"),
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
]


def run(command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **more)


def build(tree):
    folder = tree / "build-mutant"
    if not folder.exists():
        done = run(["meson", "setup", "-Dbuildtype=release", "-Doptimization=1", "-Dbench=false", "-Dexamples=false",
                    "-Dheader_tests=false", str(folder)], cwd=tree)
        if done.returncode != 0:
            sys.exit(done.stdout)
    done = run(["ninja", "-C", str(folder), "test/sim/lariat-sim"])
    if done.returncode != 0:
        sys.exit(done.stdout[-3000:])
    return folder / "test/sim/lariat-sim"


def seeds_to_find(program, seeds):
    """The first seed that fails, tried in portions; None when none does. A run that hangs is found, too."""
    first = 1
    while first <= seeds:
        count = min(100, seeds - first + 1)
        try:
            done = run([str(program), "--from", str(first), "--seeds", str(count)], timeout=60)
        except subprocess.TimeoutExpired:
            return first, "hangs"
        found = re.search(r"^seed (\d+), \w+: (.*)$", done.stdout, re.MULTILINE)
        if found:
            return int(found.group(1)), found.group(2)
        first += count
    return None, ""


def main(seeds):
    survivors = []
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns("build*", ".git"))
        print("| defect | seeds | found as |\n|---|---|---|", flush=True)
        for what, path, old, new in MUTANTS:
            file = tree / path
            text = file.read_text(encoding="utf-8")
            if text.count(old) != 1:
                sys.exit(f"{path}: the line of the defect '{what}' is not there once")
            file.write_text(text.replace(old, new), encoding="utf-8")
            seed, found = seeds_to_find(build(tree), seeds)
            file.write_text(text, encoding="utf-8")
            if seed is None:
                survivors.append(what)
            print(f"| {what} | {seed or 'not found'} | {found} |", flush=True)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000))
