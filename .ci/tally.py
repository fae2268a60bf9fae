#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tally.py TESTLOG.JSON: prints `PASSED FAILED` of one run of meson's tests.

A doctest program or a unittest file counts by its cases, anything else as one. A test that failed counts as a failure
at least once, whatever its output says, so a crash or a timeout is never lost.
"""

import json
import re
import sys

DOCTEST = re.compile(r"test cases:\s*(\d+)\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed")
UNITTEST = re.compile(r"^Ran (\d+) tests? in", re.MULTILINE)
UNITTEST_FAILED = re.compile(r"^FAILED \((.*)\)", re.MULTILINE)


def cases(test):
    output = test.get("stdout", "") + "\n" + test.get("stderr", "")
    failed = passed = 0
    if found := DOCTEST.search(output):
        passed, failed = int(found.group(2)), int(found.group(3))
    elif found := UNITTEST.search(output):
        if bad := UNITTEST_FAILED.search(output):
            failed = sum(int(number) for number in re.findall(r"(?:failures|errors)=(\d+)", bad.group(1)))
        passed = int(found.group(1)) - failed
    elif test["result"] in ("OK", "EXPECTEDFAIL"):
        passed = 1
    if test["result"] == "SKIP":
        return 0, 0
    if test["result"] not in ("OK", "EXPECTEDFAIL"):
        failed = max(failed, 1)
    return passed, failed


def main(path):
    passed = failed = 0
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.strip():
                good, bad = cases(json.loads(line))
                passed += good
                failed += bad
    print(passed, failed)


if __name__ == "__main__":
    main(sys.argv[1])
