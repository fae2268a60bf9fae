#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sees to it that the C++ that documents show compiles.

readme_test.py COMPILER INCLUDE_DIR DOCUMENT... [--snippets DOCUMENT SOURCE...]

A block that starts with ```cpp and holds a main() is a program of its own and must compile with no other help than the
include directory. Behind --snippets, a document every other block of which must stand in one of the sources, which are
compiled and run as tests: line for line, but for indentation, empty lines and spaces in front of comments.
"""
import pathlib
import re
import subprocess
import sys

MAIN = re.compile(r"int main\(|DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN")


def blocks(document):
    """Each block with its line."""
    text = pathlib.Path(document).read_text(encoding="utf-8")
    for block in re.finditer(r"^```cpp\n(.*?)^```", text, re.M | re.S):
        yield text.count("\n", 0, block.start()) + 1, block[1]


def normal(text):
    lines = (re.sub(r"\s+//", " //", line.strip()) for line in text.splitlines())
    return "\n".join(line for line in lines if line) + "\n"


def compiled(compiler, include, documents):
    for document in documents:
        for line, block in blocks(document):
            if not MAIN.search(block):
                continue
            command = [*compiler.split(), "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
                       "-I", include, "-x", "c++", "-"]
            result = subprocess.run(command, input=block, text=True, capture_output=True)
            yield f"{document}:{line}", result.returncode == 0, "does not compile as shown:\n" + result.stderr


def found(document, sources):
    known = [normal(pathlib.Path(source).read_text(encoding="utf-8")) for source in sources]
    for line, block in blocks(document):
        if not MAIN.search(block):
            there = any(normal(block) in text for text in known)
            yield f"{document}:{line}", there, "is in none of " + ", ".join(sources)


def main(arguments):
    snippets = []
    if "--snippets" in arguments:
        place = arguments.index("--snippets")
        arguments, snippets = arguments[:place], arguments[place + 1:]
    compiler, include, *documents = arguments
    results = [*compiled(compiler, include, documents), *(found(snippets[0], snippets[1:]) if snippets else ())]
    for where, good, what in results:
        if not good:
            print(f"{where}: this code {what}")
    right = sum(good for _, good, _ in results)
    print(f"{right} of {len(results)} blocks of code are right")
    return 0 if results and right == len(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
