#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every rule of the lint must fire on a small bad tree, and stay silent on the good one next to it."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from lint import findings  # noqa: E402

SPDX = "// SPDX-License-Identifier: MIT\n"
HEADER = SPDX + "#pragma once\n"


def lint(files, header_list=None):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        listed = [path for path in files if path.endswith((".cpp", ".c"))]
        files = {"meson.build": "\n".join(f"'{path}'" for path in listed) + "\n", **files}
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
        return "".join(line + "\n" for line in findings(root, root / header_list if header_list else None))


class LintTest(unittest.TestCase):
    def assert_fires(self, path, text, what):
        found = lint({path: text})
        self.assertEqual(len(found.splitlines()), 1, found)
        self.assertIn(what, found)
        self.assertTrue(found.startswith(path + ":"), found)

    def assert_silent(self, path, text):
        self.assertEqual(lint({path: text}), "")

    def test_layers(self):
        for path, include in (
            ("io/base/a.hpp", "lariat/io/buffer.hpp"),
            ("io/a.hpp", "lariat/runtime/reactor.hpp"),
            ("runtime/a.hpp", "lariat/coro/task.hpp"),
            ("runtime/a.hpp", "lariat/io/uring/ring.hpp"),
            ("coro/a.hpp", "lariat/proto/protocol.hpp"),
            ("coro/a.hpp", "lariat/test/support/x.hpp"),
            ("proto/a.hpp", "lariat/io/backend.hpp"),
            ("proto/a.hpp", "lariat/io/op.hpp"),
            ("proto/irc/message_codec.hpp", "lariat/runtime/reactor.hpp"),
            ("proto/irc/message_codec.hpp", "lariat/io/buffer.hpp"),
            ("examples/a.hpp", "lariat/io/uring/ring.hpp"),
            ("bench/a.hpp", "lariat/test/support/x.hpp"),
            ("test/kit/a.hpp", "lariat/test/support/x.hpp"),
        ):
            with self.subTest(path=path, include=include):
                self.assert_fires(path, HEADER + f"#include <{include}>\n", "[layers]")

    def test_layers_allowed(self):
        for path, include in (
            ("io/base/a.hpp", "lariat/io/base/error.hpp"),
            ("io/a.hpp", "lariat/io/uring/ring.hpp"),
            ("runtime/a.hpp", "lariat/io/backend.hpp"),
            ("coro/a.hpp", "lariat/io/op.hpp"),
            ("proto/a.hpp", "lariat/io/buffer_pool.hpp"),
            ("proto/a.hpp", "lariat/coro/task.hpp"),
            ("proto/irc/message_codec.hpp", "lariat/io/base/bytes.hpp"),
            ("proto/irc/message_codec.hpp", "lariat/proto/lines/line_codec.hpp"),
            ("examples/a.hpp", "lariat/lariat.hpp"),
            ("bench/a.hpp", "lariat/bench/counters.hpp"),
            ("test/a.hpp", "lariat/io/uring/ring.hpp"),
        ):
            with self.subTest(path=path, include=include):
                self.assert_silent(path, HEADER + f"#include <{include}>\n")

    def test_quotes(self):
        self.assert_fires("io/a.hpp", HEADER + '#include "b.hpp"\n', "in quotes")
        self.assert_silent("bench/a.hpp", HEADER + '#include "b.hpp"\n')

    def test_umbrella(self):
        for name in ("io/io.hpp", "coro/coro.hpp", "lariat.hpp"):
            self.assert_fires("proto/a.hpp", HEADER + f"#include <lariat/{name}>\n", "[umbrella]")
        self.assert_silent("lariat.hpp", HEADER + "#include <lariat/proto/proto.hpp>\n")
        self.assert_silent("test/a.hpp", HEADER + "#include <lariat/lariat.hpp>\n")

    def test_foreign_headers(self):
        for path, include in (
            ("io/a.hpp", "coroutine"),
            ("runtime/a.hpp", "coroutine"),
            ("proto/irc/message_codec.hpp", "coroutine"),
            ("proto/irc/message_codec.hpp", "chrono"),
            ("proto/irc/message_codec.hpp", "sys/socket.h"),
            ("io/epoll/a.hpp", "liburing.h"),
            ("coro/a.hpp", "liburing.h"),
            ("examples/a.hpp", "liburing.h"),
            ("coro/task.hpp", "boost/context/fiber.hpp"),
            ("runtime/a.hpp", "doctest/doctest.h"),
            ("runtime/a.hpp", "openssl/ssl.h"),
        ):
            with self.subTest(path=path, include=include):
                self.assert_fires(path, HEADER + f"#include <{include}>\n", "[foreign]")
        for path, include in (
            ("io/uring/a.hpp", "liburing.h"),
            ("io/base/fiber_context.cpp", "boost/context/fiber.hpp"),
            ("coro/a.hpp", "coroutine"),
            ("runtime/a.hpp", "sys/socket.h"),
            ("bench/baseline/a.hpp", "liburing.h"),
            ("examples/a.hpp", "CLI/CLI.hpp"),
        ):
            with self.subTest(path=path, include=include):
                self.assert_silent(path, HEADER + f"#include <{include}>\n")

    def test_own_header_first(self):
        header = {"io/a.hpp": HEADER}
        good = SPDX + "#include <lariat/io/a.hpp>\n#include <vector>\n"
        self.assertEqual(lint({**header, "io/a.cpp": good}), "")
        self.assertEqual(lint({"io/b.cpp": SPDX + "#include <vector>\n"}), "")
        for bad in (SPDX, SPDX + "#include <vector>\n#include <lariat/io/a.hpp>\n"):
            self.assertIn("include <lariat/io/a.hpp> first", lint({**header, "io/a.cpp": bad}))

    def test_first_lines(self):
        self.assert_fires("io/a.hpp", "#pragma once\n", "SPDX")
        self.assert_fires("io/a.hpp", SPDX, "#pragma once")
        self.assert_fires("io/a.cpp", "int a;\n", "SPDX")

    def test_lengths(self):
        self.assert_fires("io/a.hpp", HEADER + "int a;\n" * 599, "601 lines")
        self.assert_silent("io/a.hpp", HEADER + "int a;\n" * 598)
        self.assert_fires("io/a.hpp", HEADER + "int " + "a" * 117 + ";\n", "122 columns")

    def test_residue(self):
        for comment in ("// TODO tidy this", "// FIXME", "/* XXX */", "// in phase 2", "// see task 6",
                        "// previously a list", "// ------------", "/* ======= */"):
            with self.subTest(comment=comment):
                self.assert_fires("io/a.hpp", HEADER + comment + "\n", "[residue]")
        for text in ("// TODO use waitid when liburing has it", 'auto a = "FIXME";', "// a task, 2 of them"):
            with self.subTest(text=text):
                self.assert_silent("io/a.hpp", HEADER + text + "\n")

    def test_machine_paths(self):
        self.assert_fires("io/a.hpp", HEADER + 'auto a = "/home/me/x";\n', "[machine-path]")
        self.assert_fires("docs/a.md", "see /home/me/x\n", "a path of one machine")
        self.assert_silent("io/a.hpp", HEADER + 'auto a = "/proc/self/fd"; // or <http://a.example/home/x>\n')

    def test_seam(self):
        for code in ("int a = ::socket(1, 2, 3);", "int a = socket(AF_INET, 2, 3);", "::recv(1, b, 2, 0);",
                     "return ::send(1, b, 2, 0);", "clock_gettime(1, &t);", "auto t = steady_clock::now();",
                     "std::random_device seed;", "int a = std::rand();", "getaddrinfo(a, b, c, d);",
                     "int fd = ::open(path, 0);", "::unlink(path);", "auto* f = std::fopen(path, mode);",
                     "std::ifstream in(path);", "if (std::filesystem::exists(path)) return;"):
            for path in ("runtime/a.cpp", "coro/a.cpp", "proto/a.cpp"):
                with self.subTest(code=code, path=path):
                    self.assert_fires(path, SPDX + code + "\n", "[seam]")
            self.assert_silent("io/a.cpp", SPDX + code + "\n")
        for path in ("runtime/resolver.cpp", "runtime/thread_pool.cpp"):
            self.assert_silent(path, SPDX + "getaddrinfo(a, b, c, d);\n")
        for code in ("file.open(path);", "Ready::unlink();", "namespace filesystem = other;",
                     "backend.socket(AF_INET, 2, 3);", "peer->send(x);", "io::Backend::send(x);", "// ::send()",
                     'log("::recv(");', "auto operand (int);",
                     "Transport::connect(x);"):
            with self.subTest(code=code):
                self.assert_silent("runtime/a.cpp", SPDX + code + "\n")

    def test_test_hygiene(self):
        self.assert_fires("test/a.cpp", SPDX + "std::this_thread::sleep_for(1s);\n", "a sleep in a test")
        self.assert_fires("test/a.cpp", SPDX + "usleep(100);\n", "a sleep in a test")
        self.assert_fires("test/a.cpp", SPDX + "reactor.listen_tcp(8000, f);\n", "a fixed port")
        self.assert_silent("test/a.cpp", SPDX + "reactor.listen_tcp(0, f); sleep_for(1s);\n")
        self.assert_silent("test/coro/sim_a_test.cpp", SPDX + "sleep(100);\n")

    def test_excuse_needs_the_rule_and_a_reason(self):
        line = "reactor.listen_tcp(8000, f);"
        self.assert_silent("test/a.cpp", SPDX + line + "  // lint-ok: test-hygiene, a simulated network\n")
        self.assert_fires("test/a.cpp", SPDX + line + "  // lint-ok: test-hygiene\n", "a fixed port")
        self.assert_fires("test/a.cpp", SPDX + line + "  // lint-ok: seam, why not\n", "a fixed port")

    def test_source_that_nobody_compiles(self):
        self.assertIn("no meson.build names", lint({"io/a.cpp": SPDX, "meson.build": "'io/b.cpp'\n"}))
        self.assertEqual(lint({"io/a.cpp": SPDX, "meson.build": "\n", "io/meson.build": "files('a.cpp')\n"}), "")

    def test_header_list(self):
        tree = {"io/a.hpp": HEADER, "list": "io/a.hpp\n"}
        self.assertEqual(lint(tree, "list"), "")
        self.assertIn("io/a.hpp:1: the build does not know", lint({**tree, "list": "\n"}, "list"))
        self.assertIn("io/b.hpp:1: the build knows", lint({**tree, "list": "io/a.hpp\nio/b.hpp\n"}, "list"))

    def test_code_is_told_from_comments_and_strings(self):
        text = SPDX + 'auto a = R"x(\n// FIXME\n)x";\nint b = 1\'000; // it\'s\nauto c = \'"\'; /* ::send( */\n'
        self.assert_silent("runtime/a.cpp", text)


if __name__ == "__main__":
    unittest.main()
