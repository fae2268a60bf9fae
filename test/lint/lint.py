#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""lint.py [--headers LIST] [ROOT]: checks the source tree against the rules of the house.

Prints one line per finding, file:line: what is wrong and what to do, and ends with status 1 when there is one.
With LIST, a file with one header a line, also that the list of the build is complete.
"""

import argparse
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "headers"))

import rules  # noqa: E402
from list_headers import KIT, headers  # noqa: E402
from scan import Source  # noqa: E402

CODE = (".hpp", ".h", ".cpp", ".c")
TEXT = (".md", ".py", ".sh", ".txt", ".build", ".ini", ".yml")
EXCUSE = re.compile(r"//\s*lint-ok:\s*([\w-]+)(,\s*\S.*)?$")


class File:
    def __init__(self, root, path):
        self.path = path.relative_to(root).as_posix()
        self.source = Source(path.read_text(encoding="utf-8"))

    def excuses(self, number, rule):
        match = EXCUSE.search(self.source.text[number - 1])
        return match is not None and match.group(1) == rule and match.group(2) is not None


def files(root, endings, folders=rules.FOLDERS):
    found = [path for path in root.iterdir() if path.is_file() and path.name.endswith(endings)]
    for folder in folders:
        found += [path for path in (root / folder).rglob("*") if path.is_file() and path.name.endswith(endings)]
    return sorted(found)


def check_code(root):
    for path in files(root, CODE):
        file = File(root, path)
        for name, rule in rules.RULES.items():
            for number, what in rule(file):
                if not file.excuses(number, name):
                    yield file.path, number, f"{what} [{name}]"


def check_text(root):
    """Machine paths in everything that is not C++; lengths in Python and meson files."""
    for path in files(root, TEXT, rules.FOLDERS + ("docs",)):
        file = File(root, path)
        found = [] if file.path.startswith("test/lint/") else list(rules.machine_paths(file))
        if path.name.endswith((".py", ".build")):
            found += rules.lengths(file)
        for number, what in found:
            yield file.path, number, what


def check_listed(root):
    """A source that no meson.build names is a source that nobody compiles."""
    for path in files(root, (".cpp", ".c")):
        if path.parent == root:
            continue
        folder = path.parent
        while True:
            build = folder / "meson.build"
            name = path.relative_to(folder).as_posix()
            # The whole path below that meson.build, or its parts when the file builds them from names.
            if build.exists() and re.search(rf"['/]{re.escape(path.stem)}(\.\w+)?'", build.read_text(encoding="utf-8")):
                break
            if folder == root:
                yield path.relative_to(root).as_posix(), 1, f"no meson.build names {name}: add it to a list of sources"
                break
            folder = folder.parent


def check_own_headers(root):
    """A source proves that its header is complete by including it before all others."""
    for path in files(root, (".cpp", ".c"), rules.LAYERS + (KIT,)):
        header = path.with_suffix(".hpp").relative_to(root).as_posix()
        spelled = header.replace(KIT, "testing")
        first = next(rules.includes(File(root, path)), None)
        if (root / header).exists() and (first is None or first[2] != f"lariat/{spelled}"):
            yield path.relative_to(root).as_posix(), first[0] if first else 1, f"include <lariat/{spelled}> first"


def check_header_list(root, listed):
    inside = {line.strip() for line in pathlib.Path(listed).read_text(encoding="utf-8").split("\n")} - {""}
    tree = set(headers(root))
    for name in sorted(tree - inside):
        yield name, 1, "the build does not know this header: configure it again"
    for name in sorted(inside - tree):
        yield name, 1, "the build knows this header, the tree does not have it: configure the build again"


def findings(root, header_list=None):
    """The findings, each as one line, in the order of the files."""
    found = [*check_code(root), *check_text(root), *check_listed(root), *check_own_headers(root)]
    if header_list:
        found += check_header_list(root, header_list)
    return [f"{path}:{number}: {what}" for path, number, what in sorted(found)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--headers")
    parser.add_argument("root", nargs="?", default=pathlib.Path(__file__).parents[2])
    options = parser.parse_args()
    found = findings(pathlib.Path(options.root).resolve(), options.headers)
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
