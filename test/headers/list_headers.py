#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints the headers for users, one a line, as they are spelled behind lariat/; those of test/kit: testing/x.hpp."""

import pathlib
import sys

LAYERS = ("io", "runtime", "coro", "proto")
KIT = "test/kit"


def headers(root):
    found = [path.relative_to(root).as_posix() for layer in LAYERS for path in (root / layer).rglob("*.hpp")]
    found += ["testing/" + path.name for path in (root / KIT).glob("*.hpp")]
    if (root / "lariat.hpp").exists():
        found.append("lariat.hpp")
    return sorted(found)


if __name__ == "__main__":
    source_root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2])
    print("\n".join(headers(source_root)))
