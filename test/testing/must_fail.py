#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""must_fail.py SOURCE PROGRAM: each test case of the doctest program must fail, and say why.

In front of a case stand `// says: TEXT` for what its output must hold, `// hides: TEXT` for what it must not, and
`// passes` when it must pass. The cases run one by one, then once all together.
"""

import re
import subprocess
import sys

SECONDS = 60
CASE = re.compile(r'^(?:LARIAT_\w+|TEST_CASE)\((?:\w+, )?"([^"]+)"', re.MULTILINE)


def run(program, *arguments):
    done = subprocess.run([program, "--no-colors", *arguments], capture_output=True, text=True, errors="replace",
                          timeout=SECONDS)
    return done.returncode, done.stdout + done.stderr


def cases(source):
    with open(source, encoding="utf-8") as file:
        text = file.read()
    before = 0
    for match in CASE.finditer(text):
        notes = re.findall(r"^// (passes|says: .*|hides: .*)$", text[before:match.start()], re.MULTILINE)
        yield match.group(1), notes
        before = match.end()


def check(program, title, notes):
    status, output = run(program, "--test-case=" + title.replace(",", "\\,"))
    passes = "passes" in notes
    if status != (0 if passes else 1):
        yield f"ended with status {status}"
    if f"1 {'passed' if passes else 'failed'}" not in output:
        yield f"was not counted as {'passed' if passes else 'failed'}"
    for note in notes:
        kind, _, what = note.partition(": ")
        if kind == "says" and what.rstrip() not in output:
            yield f"does not say: {what}"
        if kind == "hides" and what.rstrip() in output:
            yield f"says: {what}"
    if not passes and not any(note.startswith("says") for note in notes):
        yield "has no line `// says: TEXT`"


def main(source, program):
    wrong = 0
    found = list(cases(source))
    for title, notes in found:
        for what in check(program, title, notes):
            wrong += 1
            print(f"{title}: {what}")
    failing = sum("passes" not in notes for _, notes in found)
    status, output = run(program)
    summary = re.search(r"test cases:\s+(\d+) \|\s+(\d+) passed \|\s+(\d+) failed", output)
    expected = (len(found), len(found) - failing, failing)
    if status != 1 or not summary or tuple(map(int, summary.groups())) != expected:
        wrong += 1
        print(f"all together: status {status}, {summary and summary.group(0)}; expected {expected}")
    _, listed = run(program, "--list-test-cases", "--order-by=name")
    names = [line for line in listed.splitlines() if line in dict(found)]
    if names != sorted(dict(found)):
        wrong += 1
        print("--order-by=name does not list the cases in alphabetical order")
    _, first = run(program, "--abort-after=1", "--order-by=name")
    if "1 failed" not in first:
        wrong += 1
        print("--abort-after=1 does not stop at the first failure")
    print(f"{len(found)} cases, {wrong} wrong")
    return 1 if wrong or not found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
