#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples_test.py EXAMPLES POEMS: runs the built example programs as their users do, also against nc and socat."""

import contextlib
import os
import pathlib
import queue
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
import zlib

EXAMPLES = pathlib.Path()
POEMS = pathlib.Path()
STYLES = ("callbacks", "deferred", "task")
CLIENTS = [("get_poetry", "--style", style) for style in STYLES] + [(f"get_poetry_{style}",) for style in STYLES]
TIMEOUT = 30
TRACE = re.compile(r"Traceback|terminate called|\.[ch]pp:\d|Sanitizer|Assertion|core dumped")
# A fast pace: a poem takes a fraction of a second.
QUICK = ("--delay", "0.002", "--bytes", "40")


def poems():
    return sorted(POEMS.glob("*.txt"))


def program(name):
    folders = {"echo_protocol": "echo", "echo_task": "echo", "deflate_server": "deflate", "inflate_client": "deflate",
               "poll_server": "crash", "udp_echo_server": "udp_echo", "udp_echo_client": "udp_echo"}
    return str(EXAMPLES / folders.get(name, "poetry") / name)


def environment(backend=None, **settings):
    """Ours, without what would change how the programs behave."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LARIAT_")}
    return kept | ({"LARIAT_BACKEND": backend} if backend else {}) | settings


def run(name, *arguments, backend=None, **settings):
    return subprocess.run([program(name), *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=TIMEOUT, env=environment(backend, **settings))


def first_line(stream):
    """The first line of a program that goes on running; an empty one when none comes in time."""
    lines = queue.Queue()
    threading.Thread(target=lambda: lines.put(stream.readline()), daemon=True).start()
    with contextlib.suppress(queue.Empty):
        return lines.get(timeout=TIMEOUT).decode()
    return ""


class Server:
    """A server that runs until the end of the block; SIGINT must end it with status 0 and nothing on stderr."""

    def __init__(self, name, *arguments, backend=None):
        self.process = subprocess.Popen([program(name), *map(str, arguments)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(backend))
        self.line = first_line(self.process.stdout)
        self.address = self.line.split()[-1] if self.line.endswith("\n") else None
        if not self.address:
            self.process.kill()
            raise AssertionError(f"{name} did not say where it serves: {self.process.communicate()}")
        self.port = int(self.address.rsplit(":", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.process.send_signal(signal.SIGINT)
        try:
            _, errors = self.process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise AssertionError("SIGINT did not end a server") from None
        if kind is None and (self.process.returncode, errors) != (0, b""):
            raise AssertionError(f"after SIGINT a server ended with {self.process.returncode}, {errors.decode()!r}")


@contextlib.contextmanager
def dead_port(kind=socket.SOCK_STREAM):
    """A port that is bound, so that nobody else gets it, and on which nobody listens."""
    with socket.socket(type=kind) as bound:
        bound.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_DGRAM:
            bound.connect(bound.getsockname())  # it hears from itself alone
        yield bound.getsockname()[1]


def free_port():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


def backends():
    """Those this machine has: containers often forbid io_uring."""
    try:
        with Server("echo_protocol", 0, backend="uring"):
            return ("uring", "epoll")
    except AssertionError:
        print("uring cannot be had here; epoll alone is tested", file=sys.stderr)
        return ("epoll",)


class Case(unittest.TestCase):
    def assert_one_line(self, result, status, *words):
        """It failed as users should see it: one clear line on stderr, this status, nothing else."""
        errors = result.stderr.decode()
        self.assertEqual((result.returncode, result.stdout), (status, b""), errors)
        self.assertRegex(errors, r"\A[^\n]+\n\Z")
        self.assertNotRegex(errors, TRACE)
        for word in words:
            self.assertIn(word, errors)

    def wait_until_connected(self, pid):
        """Until the process has a connection: then its download has begun."""
        deadline = threading.Event()
        for _ in range(TIMEOUT * 100):
            with contextlib.suppress(OSError):
                links = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{pid}/fd")]
                inodes = {link[len("socket:["):-1] for link in links if link.startswith("socket:[")}
                rows = [row.split() for row in pathlib.Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
                if any(row[9] in inodes and row[3] == "01" for row in rows):
                    return
            deadline.wait(0.01)
        self.fail("the client did not connect")


class Poetry(Case):
    @classmethod
    def setUpClass(cls):
        if not os.path.exists(program("get_poetry")):
            raise unittest.SkipTest("the poetry programs were not built: CLI11 is missing")
        cls.backends = backends()

    @contextlib.contextmanager
    def slow_servers(self, *arguments, files=None):
        with contextlib.ExitStack() as stack:
            yield [stack.enter_context(Server("slow_server", file, *arguments)) for file in files or poems()]

    def test_the_poems_are_poems(self):
        self.assertGreaterEqual(len(poems()), 5)
        for poem in poems():
            text = poem.read_bytes()
            self.assertNotIn(b"\r", text, poem)
            self.assertTrue(text.endswith(b"\n"), poem)
            self.assertGreater(text.count(b"\n"), 10, poem)

    def test_each_style_downloads_every_poem_on_each_backend(self):
        expected = b"".join(poem.read_bytes() for poem in poems())
        for backend in self.backends:
            with self.slow_servers("--backend", backend, *QUICK) as servers:
                for client in CLIENTS:
                    with self.subTest(client=client, backend=backend):
                        addresses = [server.address for server in servers]
                        result = run(*client, "--backend", backend, *addresses)
                        self.assertEqual(result.stdout, expected, result.stderr.decode())
                        self.assertEqual(result.returncode, 0)
                        for address in addresses:
                            self.assertIn(address.encode(), result.stderr)

    def test_a_fast_server_sends_the_whole_file_whatever_its_bytes(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(bytes(range(256)) * 20000)
            file.flush()
            for backend in self.backends:
                with Server("fast_server", file.name, "--backend", backend) as server:
                    self.assertRegex(server.line, r"\Aserving \S+ on 127\.0\.0\.1:\d+\n\Z")
                    for style in STYLES:
                        with self.subTest(style=style, backend=backend):
                            result = run("get_poetry", "--style", style, "--backend", backend, server.address)
                            self.assertEqual(result.returncode, 0, result.stderr.decode())
                            self.assertTrue(result.stdout == pathlib.Path(file.name).read_bytes())

    def test_an_empty_poem_is_a_poem(self):
        with tempfile.NamedTemporaryFile() as file:
            for server_name in ("fast_server", "slow_server"):
                with Server(server_name, file.name) as server:
                    for style in STYLES:
                        result = run("get_poetry", "--style", style, server.address)
                        self.assertEqual((result.returncode, result.stdout), (0, b""), result.stderr.decode())

    def test_a_dead_server_is_reported_and_the_others_finish(self):
        poem = poems()[0]
        with self.slow_servers(*QUICK, files=[poem]) as [server], dead_port() as dead:
            for client in CLIENTS:
                with self.subTest(client=client):
                    result = run(*client, f"127.0.0.1:{dead}", server.address)
                    errors = result.stderr.decode()
                    self.assertEqual(result.stdout, poem.read_bytes())
                    self.assertEqual(result.returncode, 1)
                    self.assertIn(f"127.0.0.1:{dead}", errors)
                    self.assertIn("refused", errors)
                    self.assertNotRegex(errors, TRACE)

    def test_a_name_is_an_address_too(self):
        with Server("fast_server", poems()[0]) as server:
            for style in STYLES:
                result = run("get_poetry", "--style", style, f"localhost:{server.port}")
                self.assertEqual(result.stdout, poems()[0].read_bytes(), result.stderr.decode())

    def test_a_server_that_breaks_off_is_reported(self):
        """A reset in the middle of a poem is not the end of the poem."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def serve():
                for _ in STYLES:
                    peer, _ = listener.accept()
                    peer.sendall(b"Half of ")
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    peer.close()
            threading.Thread(target=serve, daemon=True).start()
            for style in STYLES:
                with self.subTest(style=style):
                    result = run("get_poetry", "--style", style, f"127.0.0.1:{listener.getsockname()[1]}")
                    self.assertEqual((result.returncode, result.stdout), (1, b""))
                    self.assertNotRegex(result.stderr.decode(), TRACE)
                    self.assertEqual(result.stderr.count(b"\n"), 1, result.stderr)

    def test_interrupted_clients_say_so_and_end(self):
        with self.slow_servers("--delay", "60", files=[poems()[0]]) as [server]:
            for style in STYLES:
                with self.subTest(style=style):
                    client = subprocess.Popen(
                        [program("get_poetry"), "--style", style, server.address],
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
                    self.wait_until_connected(client.pid)
                    client.send_signal(signal.SIGINT)
                    out, errors = client.communicate(timeout=TIMEOUT)
                    self.assertEqual((client.returncode, out), (1, b""), errors)
                    self.assertNotRegex(errors.decode(), TRACE)
                    self.assertEqual(errors.count(b"\n"), 1, errors)

    def test_a_server_with_a_client_ends_cleanly(self):
        for server_name, options in (("slow_server", ("--delay", "60")), ("fast_server", ())):
            with Server(server_name, poems()[0], *options) as server, socket.create_connection(
                    ("127.0.0.1", server.port)) as client:
                self.assertTrue(client.recv(1))

    def test_each_client_of_a_slow_server_gets_the_whole_poem(self):
        with self.slow_servers(*QUICK, files=[poems()[0]]) as [server]:
            clients = [subprocess.Popen([program("get_poetry"), server.address], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, env=environment()) for _ in range(8)]
            for client in clients:
                self.assertEqual(client.communicate(timeout=TIMEOUT)[0], poems()[0].read_bytes())

    def test_wrong_command_lines_give_one_line_and_status_2(self):
        poem = poems()[0]
        for server in ("fast_server", "slow_server"):
            for arguments in ((), (poem, "--port", "65536"), (poem, "--port", "-1"), (poem, "--port", "ten"),
                              (poem, "--port", ""), (poem, "--iface", "nowhere"), (poem, "--iface", "1.2.3"),
                              (poem, "--iface", "256.0.0.1"), (poem, "--nonsense"), (poem, "another"),
                              (poem, "--backend", "kqueue"), (poem, "--port")):
                with self.subTest(server=server, arguments=arguments):
                    self.assert_one_line(run(server, *arguments), 2, server)
        for arguments in ((poem, "--bytes", "0"), (poem, "--bytes", "-1"), (poem, "--bytes", "x"),
                          (poem, "--delay", "-1"), (poem, "--delay", "soon"), (poem, "--delay", "nan")):
            with self.subTest(server="slow_server", arguments=arguments):
                self.assert_one_line(run("slow_server", *arguments), 2, "slow_server")
        for client in CLIENTS:
            for arguments in ((), ("127.0.0.1",), ("127.0.0.1:",), (":10000",), ("127.0.0.1:0",), ("127.0.0.1:65536",),
                              ("127.0.0.1:http",), ("::1:10000",), ("127.0.0.1:1", "--backend", "kqueue")):
                with self.subTest(client=client, arguments=arguments):
                    self.assert_one_line(run(*client, *arguments), 2, client[0])
        self.assert_one_line(run("get_poetry", "--style", "prose", "127.0.0.1:1"), 2, "get_poetry")
        self.assert_one_line(run("demo", "--seconds", "x"), 2, "demo")

    def test_what_the_system_refuses_gives_one_line_and_status_1(self):
        poem = poems()[0]
        with tempfile.TemporaryDirectory() as folder, Server("fast_server", poem) as other:
            for server in ("fast_server", "slow_server"):
                with self.subTest(server=server):
                    missing = os.path.join(folder, "missing.txt")
                    self.assert_one_line(run(server, missing), 1, server, missing)
                    self.assert_one_line(run(server, folder), 1, server, folder)
                    self.assert_one_line(run(server, poem, "--port", other.port), 1, server, str(other.port), "in use")
                    self.assert_one_line(run(server, poem, "--iface", "192.0.2.1"), 1, server, "192.0.2.1")
            self.assert_one_line(run("demo", "--poems", folder, "--no-race"), 1, "demo")

    def test_a_backend_in_the_environment_that_does_not_exist_is_named(self):
        for name, arguments in (("fast_server", (poems()[0],)), ("get_poetry", ("127.0.0.1:1",))):
            self.assert_one_line(run(name, *arguments, backend="kqueue"), 2, "kqueue")

    def test_help_is_on_stdout(self):
        for name in ("fast_server", "slow_server", "demo", *sorted({client[0] for client in CLIENTS})):
            result = run(name, "--help")
            self.assertEqual((result.returncode, result.stderr), (0, b""))
            self.assertIn(b"--backend", result.stdout)

    def test_other_addresses_and_ports_can_be_served_on(self):
        port = free_port()
        with Server("fast_server", poems()[0], "--iface", "127.0.0.2", "--port", port) as server:
            self.assertEqual(server.address, f"127.0.0.2:{port}")
            self.assertEqual(run("get_poetry", server.address).stdout, poems()[0].read_bytes())
        with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
            with Server("slow_server", poems()[0], "--iface", "::1", *QUICK) as server:
                self.assertRegex(server.address, r"\A\[::1\]:\d+\Z")
                for style in STYLES:
                    result = run("get_poetry", "--style", style, server.address)
                    self.assertEqual(result.stdout, poems()[0].read_bytes(), result.stderr.decode())

    def test_the_demo_downloads_compares_and_reports(self):
        for backend in self.backends:
            result = run("demo", "--seconds", "0.3", "--no-race", "--backend", backend)
            out = result.stdout.decode()
            self.assertEqual((result.returncode, result.stderr), (0, b""), out)
            self.assertNotIn("\x1b", out)
            self.assertEqual(out.count(f"{len(poems())} of {len(poems())} poems"), 3)
            self.assertEqual(out.count("(dead server)  "), 3)
            for poem in poems():
                self.assertEqual(out.count(f"{poem.stem} "), 3)


@unittest.skipUnless(shutil.which("nc"), "nc is not installed")
class Nc(Case):
    setUpClass = Poetry.setUpClass

    def fetch(self, server, *options):
        return subprocess.run(["nc", *options, "127.0.0.1", str(server.port)], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=TIMEOUT).stdout

    def test_nc_fetches_poems(self):
        for poem in poems()[:2]:
            for name, options in (("fast_server", ()), ("slow_server", QUICK)):
                with self.subTest(server=name), Server(name, poem, *options) as server:
                    self.assertEqual(self.fetch(server), poem.read_bytes())
                    # With -N it says at once that it will send nothing.
                    if b"-N" in subprocess.run(["nc", "-h"], capture_output=True, timeout=TIMEOUT).stderr:
                        self.assertEqual(self.fetch(server, "-N"), poem.read_bytes())

    def test_clients_fetch_from_nc(self):
        for style in STYLES:
            port = free_port()
            with open(poems()[0], "rb") as poem, subprocess.Popen(
                    ["nc", "-v", "-N", "-l", "127.0.0.1", str(port)], stdin=poem, stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE) as nc:
                first_line(nc.stderr)  # "Listening on ..."
                result = run("get_poetry", "--style", style, f"127.0.0.1:{port}")
                nc.kill()
                self.assertEqual(result.stdout, poems()[0].read_bytes(), result.stderr.decode())


@unittest.skipUnless(shutil.which("socat"), "socat is not installed")
class Socat(Case):
    setUpClass = Poetry.setUpClass

    def test_socat_fetches_poems(self):
        for name, options in (("fast_server", ()), ("slow_server", QUICK)):
            with self.subTest(server=name), Server(name, poems()[0], *options) as server:
                for arguments in (("-u", f"TCP:{server.address}", "-"), (f"TCP:{server.address}", "STDIO")):
                    result = subprocess.run(["socat", "-t", "5", *arguments], stdin=subprocess.DEVNULL,
                                            capture_output=True, timeout=TIMEOUT)
                    self.assertEqual(result.stdout, poems()[0].read_bytes(), result.stderr)

    def test_clients_fetch_from_socat(self):
        port = free_port()
        with subprocess.Popen(["socat", "-d", "-d", f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork",
                               f"OPEN:{poems()[0]},rdonly"], stderr=subprocess.PIPE) as socat:
            try:
                first_line(socat.stderr)  # "... listening on ..."
                for client in CLIENTS:
                    with self.subTest(client=client):
                        result = run(*client, f"127.0.0.1:{port}")
                        self.assertEqual(result.stdout, poems()[0].read_bytes(), result.stderr.decode())
                        self.assertEqual(result.returncode, 0)
            finally:
                socat.terminate()


class Echo(Case):
    PROGRAMS = ("echo_protocol", "echo_task")

    def test_every_byte_comes_back(self):
        sent = os.urandom(3_000_000)
        for backend in backends():
            for name in self.PROGRAMS:
                with self.subTest(program=name, backend=backend), Server(name, 0, backend=backend) as server:
                    self.assertRegex(server.line, r"\Alistening on 127\.0\.0\.1:\d+\n\Z")
                    with socket.create_connection(("127.0.0.1", server.port), TIMEOUT) as client:
                        writer = threading.Thread(target=client.sendall, args=(sent,))
                        writer.start()
                        received = bytearray()
                        while len(received) < len(sent) and (part := client.recv(1 << 16)):
                            received += part
                        writer.join()
                        self.assertTrue(bytes(received) == sent)
                        client.shutdown(socket.SHUT_WR)
                        self.assertEqual(client.recv(1), b"")

    def test_a_thousand_quick_clients_are_served(self):
        count = 1000
        for name in self.PROGRAMS:
            with self.subTest(program=name), Server(name, 0) as server, contextlib.ExitStack() as stack:
                clients = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port), TIMEOUT))
                           for _ in range(count)]
                for number, client in enumerate(clients):
                    client.sendall(b"%05d" % number)
                for number, client in enumerate(clients):
                    self.assertEqual(client.recv(5, socket.MSG_WAITALL), b"%05d" % number)

    def test_wrong_ports_give_one_line(self):
        for name in self.PROGRAMS:
            for arguments in ((), ("ten",), ("65536",), ("-1",), ("",), ("1", "2")):
                with self.subTest(program=name, arguments=arguments):
                    self.assert_one_line(run(name, *arguments), 2)
            with Server(name, 0) as other:
                self.assert_one_line(run(name, other.port), 1, str(other.port), "in use")
            self.assertIn(run(name, 0, backend="kqueue").returncode, (1, 2))
            self.assert_one_line(run(name, 0, backend="kqueue"), run(name, 0, backend="kqueue").returncode, "kqueue")


class UdpEcho(Case):
    SAYINGS = b"received: Hello, world!\nreceived: What a fine day it is.\nreceived: Bye-bye!\n"

    def test_every_datagram_comes_back(self):
        for backend in backends():
            with self.subTest(backend=backend), Server("udp_echo_server", 0, backend=backend) as server:
                self.assertRegex(server.line, r"\Alistening on 127\.0\.0\.1:\d+\n\Z")
                result = run("udp_echo_client", server.address, backend=backend)
                self.assertEqual((result.returncode, result.stdout, result.stderr), (0, self.SAYINGS, b""))
                with socket.socket(type=socket.SOCK_DGRAM) as client:
                    client.settimeout(TIMEOUT)
                    client.connect(("127.0.0.1", server.port))
                    for sent in (b"", b"one", os.urandom(65507)):
                        client.send(sent)
                        self.assertTrue(client.recv(1 << 16) == sent)

    def test_the_client_asks_again_and_hears_no_answer_twice(self):
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            with self.subTest(host=host), socket.socket(family, socket.SOCK_DGRAM) as server:
                server.bind((host, 0))
                server.settimeout(TIMEOUT)

                def serve():
                    lost, _ = server.recvfrom(100)
                    for _ in range(3):
                        datagram, peer = server.recvfrom(100)
                        server.sendto(datagram, peer)
                        server.sendto(datagram, peer)
                thread = threading.Thread(target=serve, daemon=True)
                thread.start()
                where = f"[{host}]" if ":" in host else host
                result = run("udp_echo_client", f"{where}:{server.getsockname()[1]}")
                self.assertEqual((result.returncode, result.stdout, result.stderr), (0, self.SAYINGS, b""))
                thread.join(TIMEOUT)

    def test_what_goes_wrong_is_one_line(self):
        for backend in backends():
            with dead_port(socket.SOCK_DGRAM) as dead:
                self.assert_one_line(run("udp_echo_client", f"127.0.0.1:{dead}", backend=backend), 1, str(dead),
                                     "nobody listens")
        for name in ("udp_echo_client", "udp_echo_server"):
            for arguments in ((), ("nowhere",), ("1", "2")):
                with self.subTest(program=name, arguments=arguments):
                    self.assert_one_line(run(name, *arguments), 2, name)
        with Server("udp_echo_server", 0) as other:
            self.assert_one_line(run("udp_echo_server", other.port), 1, str(other.port), "in use")


class Replay(Case):
    """What docs/replay.md shows, but for gdb."""

    def crash(self, port, backend, recording):
        """Has the conversation that kills the server while it is recorded; its status, output and errors."""
        with subprocess.Popen([program("poll_server"), str(port)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=environment(backend, LARIAT_RECORD=recording)) as server:
            said = first_line(server.stdout).encode()
            with socket.create_connection(("127.0.0.1", port), TIMEOUT) as client:
                with client.makefile("rb") as answers:
                    for line, answer in ((b"vote tea", b"tea has 1"), (b"leader", b"tea leads"),
                                         (b"withdraw tea", b"tea has 0")):
                        client.sendall(line + b"\n")
                        self.assertEqual(answers.readline(), answer + b"\n")
                client.sendall(b"leader\n")
                rest, errors = server.communicate(timeout=TIMEOUT)
        return server.returncode, said + rest, errors

    def test_a_crash_is_recorded_and_replayed(self):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for backend in backends():
            with self.subTest(backend=backend), tempfile.TemporaryDirectory() as folder:
                recording, port = os.path.join(folder, "poll.rec"), free_port()
                status, said, _ = self.crash(port, backend, recording)
                self.assertNotEqual(status, 0)
                self.assertEqual(said.count(b"\n"), 5, said)
                self.assertRegex(said.decode().splitlines()[-1], r"\A127\.0\.0\.1:\d+: leader\Z")

                again = run("poll_server", port, LARIAT_REPLAY=recording)
                self.assertEqual((again.returncode, again.stdout), (status, said), again.stderr)

                other = run("poll_server", port ^ 1, LARIAT_REPLAY=recording)
                self.assertEqual(other.returncode, -signal.SIGABRT)
                self.assertRegex(other.stderr.decode(), rf"\Alariat: replay: {recording}, event \d+ of \d+: "
                                 rf"the program asks for bind\(\d+, 127\.0\.0\.1:{port ^ 1}\), the recording has "
                                 rf"bind\(\d+, 127\.0\.0\.1:{port}\) = 0\. Usual causes: [^\n]+\n\Z")

    def test_a_bad_recording_is_one_line(self):
        with tempfile.NamedTemporaryFile() as file:
            self.assert_one_line(run("poll_server", 1, LARIAT_REPLAY=file.name), 1, file.name, "is empty")
            file.write(b"a poem")
            file.flush()
            self.assert_one_line(run("poll_server", 1, LARIAT_REPLAY=file.name), 1, file.name, "is no recording")
            self.assert_one_line(run("poll_server", 0, LARIAT_RECORD=file.name), 1, file.name, "no recording")
        self.assert_one_line(run("poll_server", 0, backend="replay"), 1, "LARIAT_REPLAY")


class Deflate(Case):
    """The blocking callback of a C library, in a fiber."""

    @classmethod
    def setUpClass(cls):
        if not os.path.exists(program("inflate_client")):
            raise unittest.SkipTest("the deflate programs were not built: zlib is missing")

    @staticmethod
    def deflated(text):
        deflater = zlib.compressobj(wbits=-15)
        return deflater.compress(text) + deflater.flush()

    @contextlib.contextmanager
    def sender(self, *pieces):
        """Sends these, a segment each, to one client and closes."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def serve():
                peer, _ = listener.accept()
                with peer:
                    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    with contextlib.suppress(OSError):
                        for piece in pieces:
                            peer.sendall(piece)
            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            yield f"127.0.0.1:{listener.getsockname()[1]}"
            thread.join(TIMEOUT)

    def test_files_come_back_whole(self):
        with tempfile.NamedTemporaryFile() as noise:
            noise.write(os.urandom(500_000) + bytes(2_000_000))
            noise.flush()
            for path in (*poems(), pathlib.Path(noise.name), pathlib.Path(os.devnull)):
                for backend in backends():
                    with self.subTest(path=path, backend=backend), Server(
                            "deflate_server", path, 0, backend=backend) as server:
                        result = run("inflate_client", server.address, backend=backend)
                        self.assertTrue(result.stdout == path.read_bytes())
                        self.assertEqual((result.returncode, result.stderr), (0, b""))
                        with socket.create_connection(("127.0.0.1", server.port), TIMEOUT) as client:
                            got = b"".join(iter(lambda: client.recv(1 << 16), b""))
                        self.assertTrue(zlib.decompress(got, wbits=-15) == path.read_bytes())

    def test_input_may_come_in_pieces_of_a_byte(self):
        text = poems()[0].read_bytes()
        sent = self.deflated(text)
        with self.sender(*(sent[i:i + 1] for i in range(len(sent)))) as address:
            result = run("inflate_client", address)
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, text, b""))

    def test_an_interrupt_ends_the_wait_inside_the_callback(self):
        with socket.create_server(("127.0.0.1", 0)) as silent, subprocess.Popen(
                [program("inflate_client"), f"127.0.0.1:{silent.getsockname()[1]}"], stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as client:
            self.wait_until_connected(client.pid)
            client.send_signal(signal.SIGINT)
            self.assertEqual((*client.communicate(timeout=TIMEOUT), client.returncode), (b"", b"", 0))

    def test_what_goes_wrong_is_one_line(self):
        sent = self.deflated(bytes(range(256)) * 4)
        for pieces, words in (((sent[:-5],), ("EndOfStream", "in the middle")), ((), ("EndOfStream",)),
                              ((b"\xff" * 100,), ("ProtocolViolation", "invalid"))):
            with self.subTest(words=words), self.sender(*pieces) as address:
                result = run("inflate_client", address)
                self.assertEqual(result.returncode, 1)
                self.assertRegex(result.stderr.decode(), r"\A[^\n]+\n\Z")
                for word in words:
                    self.assertIn(word, result.stderr.decode())
        with dead_port() as dead:
            self.assert_one_line(run("inflate_client", f"127.0.0.1:{dead}"), 1, "refused")
        for arguments in ((), ("nowhere",)):
            self.assert_one_line(run("inflate_client", *arguments), 2, "inflate_client")
        self.assert_one_line(run("deflate_server", "missing.txt", 0), 1, "missing.txt")
        self.assert_one_line(run("deflate_server", os.devnull, "ten"), 2, "ten")


if __name__ == "__main__":
    POEMS, EXAMPLES = pathlib.Path(sys.argv.pop(2)).resolve(), pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()
