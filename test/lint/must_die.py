#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""must_die.py SOURCE PROGRAM: the program must be killed by SIGABRT and have said why.

Each line `// dies: TEXT` of the source names a text that stderr must contain. The text may hold a sanitizer's words
when the point is that a sanitizer sees the mistake.
"""

import re
import resource
import signal
import subprocess
import sys

SECONDS = 30


def expected(source):
    with open(source, encoding="utf-8") as file:
        return [match.group(1).strip() for match in re.finditer(r"^\s*// dies: (.+)$", file.read(), re.MULTILINE)]


def main(source, program):
    texts = expected(source)
    if not texts:
        return f"{source}: no line `// dies: TEXT`; say what the program must write to stderr"
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        done = subprocess.run([program], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True, errors="replace", timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return f"{source}: still running after {SECONDS} s; it must die"
    sys.stdout.write(done.stderr)
    if done.returncode != -signal.SIGABRT:
        return f"{source}: ended with status {done.returncode}; it must die of SIGABRT"
    for text in texts:
        if text not in done.stderr:
            return f"{source}: died, but stderr lacks: {text}"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
