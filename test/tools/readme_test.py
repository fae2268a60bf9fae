#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compiles every C++ program that a document shows, as shown.

readme_test.py COMPILER INCLUDE_DIR DOCUMENT...

A block that starts with ```cpp and holds a main() is a program of its own and must compile with no other help than the
include directory.
"""
import pathlib
import re
import subprocess
import sys

compiler, include, *documents = sys.argv[1:]
failures = programs = 0
for document in documents:
    text = pathlib.Path(document).read_text()
    for block in re.finditer(r"^```cpp\n(.*?)^```", text, re.M | re.S):
        if "int main(" not in block[1]:
            continue
        programs += 1
        line = text.count("\n", 0, block.start()) + 1
        command = [*compiler.split(), "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
                   "-I", include, "-x", "c++", "-"]
        result = subprocess.run(command, input=block[1], text=True, capture_output=True)
        if result.returncode:
            failures += 1
            print(f"{document}:{line}: this program does not compile as shown:\n{result.stderr}")
if not programs:
    sys.exit("no program was found in " + ", ".join(documents))
print(f"{programs - failures} of {programs} programs compile")
sys.exit(bool(failures))
