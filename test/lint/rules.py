# SPDX-License-Identifier: MIT
"""The rules: each takes a File and yields (line, what is wrong and what to do). Lines count from 1."""

import re

LAYERS = ("io", "runtime", "coro", "proto")
FOLDERS = LAYERS + ("test", "bench", "examples")
UMBRELLAS = ("lariat.hpp", "io/io.hpp", "runtime/runtime.hpp", "coro/coro.hpp", "proto/proto.hpp")
MAX_LINES = 600
MAX_COLUMNS = 120

# What a folder may include of lariat; a path matches when the pattern matches from its start.
MAY_INCLUDE = {
    "io/base": r"io/base/",
    "io": r"io/",
    "runtime": r"(io|runtime)/(?!uring/)",
    "coro": r"(io|runtime|coro)/(?!uring/)",
    "proto": r"(runtime|coro|proto|io/base)/|io/(address|buffer)\w*\.hpp",
    "codec": r"io/base/|proto/(.+/)?\w+_codec\.hpp",
    "kit": r"(io|runtime|coro|proto|testing)/(?!uring/)",
    "bench": r"(lariat\.hpp|((io|runtime|coro|proto)/(?!uring/)|bench/).*\.hpp)",
    "examples": r"(lariat\.hpp|((io|runtime|coro|proto)/(?!uring/)|examples/).*\.hpp)",
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')
POSIX_FOLDERS = ("sys/", "netinet/", "net/", "arpa/", "linux/", "sanitizer/")
CODEC_MUST_NOT = ("chrono", "thread", "coroutine", "mutex", "random", "fstream", "iostream")

SOCKET_CALLS = (
    "socket|socketpair|accept4?|bind|listen|connect|recv|recvfrom|recvmsg|recvmmsg|send|sendto|sendmsg|sendmmsg"
    "|setsockopt|getsockopt|getsockname|getpeername|shutdown|epoll_create1?|epoll_ctl|epoll_p?wait|poll|ppoll|select"
)
FILE_CALLS = (
    "open|openat2?|creat|unlink(at)?|rename(at2?)?|link(at)?|symlink(at)?|readlink(at)?|mkdir(at)?|rmdir|mkfifo(at)?"
    "|stat|[lf]stat|fstatat|statx|f?access(at)?|f?chmod(at)?|[lf]?chown(at)?|f?truncate|fsync|fdatasync|preadv?2?"
    "|pwritev?2?|opendir|readdir|fopen|mkstemp|mkdtemp"
)
RAW_CALLS = (
    (re.compile(rf"(?<![\w>:])::({SOCKET_CALLS})\s*\("), "a socket call"),
    (re.compile(rf"(?<![\w>:])::({FILE_CALLS})\s*\("), "a file system call"),
    (re.compile(r"(?<![\w.>:])(std::)?(fopen|opendir|mkstemp|mkdtemp)\s*\("), "a file system call"),
    (re.compile(r"\bstd::(filesystem\b|[io]?fstream\b)"), "a file system call"),
    (re.compile(r"(?<![\w.>:])(socket|socketpair)\s*\(\s*[AP]F_"), "a socket call"),
    (re.compile(r"(?<![\w.>])(clock_gettime|gettimeofday|clock_nanosleep)\s*\("), "a clock"),
    (re.compile(r"\b\w+_clock::now\s*\("), "a clock"),
    (re.compile(r"\bstd::random_device\b"), "randomness"),
    (re.compile(r"(?<![\w.>])(getrandom|getentropy|arc4random)\s*\("), "randomness"),
    (re.compile(r"(?<![\w.>:])(std::|::)?s?rand\s*\("), "randomness"),
)
RESOLVING = re.compile(r"(?<![\w.>])(getaddrinfo|getnameinfo|gethostbyname)\s*\(")
MAY_RESOLVE = re.compile(r"runtime/(resolver|thread_pool)\w*\.cpp$")

SLEEPS = re.compile(r"\bthis_thread::sleep_|(?<![\w.>])(usleep|nanosleep|(?<!_)sleep)\s*\(\s*\d")
SIMULATED = re.compile(r"test/(sim/|testing/|\w+/sim_\w+_test\.cpp$)")  # time and ports are the test's own there
FIXED_PORT = re.compile(r"\blisten_tcp\s*\(\s*[1-9]\d+")

CONDITION = re.compile(r"\b(when|until|once|if)\b", re.IGNORECASE)
RESIDUE = (
    (re.compile(r"\bFIXME\b"), "FIXME: repair it, or say in a sentence what is not done"),
    (re.compile(r"\bXXX\b"), "XXX: say in a sentence what is wrong"),
    (re.compile(r"\bphase \d", re.IGNORECASE), "a phase of work: say what the code does, not when it was made"),
    (re.compile(r"\btask \d", re.IGNORECASE), "a numbered task: say what the code does, not why it was made"),
    (re.compile(r"\bpreviously\b", re.IGNORECASE), "'previously': history belongs in the log"),
    (re.compile(r"^\s*(//|/\*|\*)[\s/]*[-=*#~_]{4,}"), "a decorative line: remove it"),
)
MACHINE_PATH = re.compile(r"(?<![\w.>])/(work|home|root|Users)/\w")
TODO = re.compile(r"\bTODO\b")


def layer(path):
    """The row of the table a path belongs to, or None."""
    if re.match(r"proto/(.+/)?\w+_codec\.\w+$", path):
        return "codec"
    if path.startswith("io/base/"):
        return "io/base"
    if path.startswith("test/kit/"):
        return "kit"
    return path.split("/")[0] if "/" in path else None


def is_std(name):
    return "/" not in name and "." not in name


def is_system(name):
    if name == "liburing.h" or name.startswith("doctest"):
        return False
    return is_std(name) or name.startswith(POSIX_FOLDERS) or ("/" not in name and name.endswith(".h"))


def includes(file):
    for number, line in enumerate(file.source.code, 1):
        if match := INCLUDE.match(line):
            yield number, match.group(1), match.group(2)


def dependency_table(file):
    where = layer(file.path)
    allowed = MAY_INCLUDE.get(where)
    for number, mark, name in includes(file):
        if mark == '"' and where in LAYERS + ("io/base", "codec"):
            yield number, f'"{name}" in quotes: spell it <lariat/...>, as users do'
        if not allowed or not name.startswith("lariat/"):
            continue
        target = name.removeprefix("lariat/")
        if target in UMBRELLAS:
            continue
        # io/uring is behind the seam for everybody above io.
        hidden = where not in ("io", "io/base") and target.startswith("io/uring/")
        if hidden or not re.match(allowed, target):
            yield number, f"{where} may not include <{name}>: see the table of layers in CONTRIBUTING.md"


def umbrellas(file):
    if layer(file.path) in LAYERS + ("io/base", "codec") and file.path not in UMBRELLAS:
        for number, _, name in includes(file):
            if name.removeprefix("lariat/") in UMBRELLAS:
                yield number, f"umbrella <{name}>: include the headers that are used"


def foreign_headers(file):
    where, path = layer(file.path), file.path
    if where is None or where == "test":
        return
    for number, _, name in includes(file):
        if name == "coroutine" and where in ("io", "io/base", "runtime", "codec"):
            yield number, f"<coroutine> in {where}: complete through a function pointer; coroutines begin in coro"
        elif name == "liburing.h" or name.startswith("liburing/"):
            if not path.startswith("io/uring/") and where != "bench":
                yield number, "<liburing.h> outside io/uring: go through io::Backend"
        elif name.startswith("boost/"):
            if path != "io/base/fiber_context.cpp" and where != "bench":
                yield number, f"<{name}>: Boost is for io/base/fiber_context.cpp only"
        elif name.startswith("doctest") and path != "test/kit/doctest.hpp":
            yield number, f"<{name}> outside test"
        elif name.startswith("lariat/") or is_system(name):
            if where == "codec" and (name in CODEC_MUST_NOT or name.startswith(POSIX_FOLDERS)):
                yield number, f"<{name}> in a codec: bytes in, events out, nothing else"
        elif where in LAYERS + ("io/base", "codec") and name.endswith((".h", ".hpp")) and "/" in name:
            yield number, f"<{name}>: a library outside the table of dependencies"


def header_lines(file):
    if file.source.text[0].strip() != "// SPDX-License-Identifier: MIT":
        yield 1, "the first line must be: // SPDX-License-Identifier: MIT"
    guarded = any(re.match(r"#\s*pragma once\b", line) for line in file.source.code)
    if file.path.endswith((".hpp", ".h")) and not guarded:
        yield 1, "no #pragma once"


def lengths(file):
    lines = file.source.text
    count = len(lines) - (lines[-1] == "")
    if count > MAX_LINES:
        yield count, f"{count} lines, the cap is {MAX_LINES}: split the file"
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_COLUMNS:
            yield number, f"{len(line)} columns, the cap is {MAX_COLUMNS}: break the line"


def residue(file):
    for number, line in enumerate(file.source.comments, 1):
        if TODO.search(line) and not CONDITION.search(line):
            yield number, "TODO without a condition: say when, until, once or if what it can be done"
        for pattern, what in RESIDUE:
            if pattern.search(line):
                yield number, what


def machine_paths(file):
    for number, line in enumerate(file.source.text, 1):
        if match := MACHINE_PATH.search(line):
            yield number, f"a path of one machine ({match.group().strip()}...): make it relative or ask for it"


def seam(file):
    if layer(file.path) not in ("runtime", "coro", "proto", "codec"):
        return
    for number, line in enumerate(file.source.bare, 1):
        for pattern, what in RAW_CALLS:
            if match := pattern.search(line):
                call = match.group().strip().rstrip("(").strip()
                yield number, f"{call}: {what} outside io; ask the Backend, so that it works on sim too"
        if RESOLVING.search(line) and not MAY_RESOLVE.match(file.path):
            yield number, "name lookup outside the resolver: use runtime/resolver.hpp"


def test_hygiene(file):
    if layer(file.path) != "test" or SIMULATED.match(file.path):
        return
    for number, line in enumerate(file.source.bare, 1):
        if SLEEPS.search(line):
            yield number, "a sleep in a test: wait for the event, or use the simulated clock"
        if FIXED_PORT.search(line):
            yield number, "a fixed port in a test: listen on port 0 and ask for the address"


# Name of the rule -> rule. A line that ends in `// lint-ok: NAME, REASON` is excused from that rule.
RULES = {
    "layers": dependency_table,
    "umbrella": umbrellas,
    "foreign": foreign_headers,
    "header": header_lines,
    "length": lengths,
    "residue": residue,
    "machine-path": machine_paths,
    "seam": seam,
    "test-hygiene": test_hygiene,
}
