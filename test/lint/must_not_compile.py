#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""must_not_compile.py SOURCE -- COMPILER ARGUMENTS...: the compiler must reject the source, for the right reason.

Each line `// rejected: TEXT` of the source names a text that the compiler must print. A source that mentions
LARIAT_ACCEPTED must compile when that is defined, which proves that nothing else in it is wrong.
"""

import re
import subprocess
import sys


def compile_it(command, source, *more):
    return subprocess.run([*command, *more, "-fsyntax-only", source], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")


def main(source, command):
    with open(source, encoding="utf-8") as file:
        text = file.read()
    reasons = [match.group(1).strip() for match in re.finditer(r"^\s*// rejected: (.+)$", text, re.MULTILINE)]
    if not reasons:
        return f"{source}: no line `// rejected: TEXT`; say what the compiler must print"
    if "LARIAT_ACCEPTED" in text:
        done = compile_it(command, source, "-DLARIAT_ACCEPTED")
        if done.returncode != 0:
            return f"{source}: does not compile with LARIAT_ACCEPTED either:\n{done.stdout}"
    done = compile_it(command, source)
    sys.stdout.write(done.stdout)
    if done.returncode == 0:
        return f"{source}: the compiler accepts it"
    for reason in reasons:
        if reason not in done.stdout:
            return f"{source}: rejected, but the compiler did not say: {reason}"
    return None


if __name__ == "__main__":
    arguments = sys.argv[1:]
    split = arguments.index("--")
    sys.exit(main(arguments[0], arguments[split + 1:]))
