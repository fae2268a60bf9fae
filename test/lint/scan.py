# SPDX-License-Identifier: MIT
"""Splits C and C++ text into code and comments, line by line."""

import re

_TOKEN = re.compile(
    r"""
    (?P<line>//[^\n]*)
  | (?P<block>/\*.*?(?:\*/|\Z))
  | (?P<raw>(?:u8|[uUL])?R"(?P<mark>[^()\s\\]{0,16})\(.*?\)(?P=mark)")
  | (?P<string>"(?:\\.|[^"\\\n])*"?)
  | (?P<number>\b[0-9](?:'?[0-9A-Za-z_.])*)
  | (?P<char>'(?:\\.|[^'\\\n])*'?)
    """,
    re.VERBOSE | re.DOTALL,
)


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


class Source:
    """code: comments blanked; bare: strings blanked too; comments: everything else blanked. Lines count from 0."""

    def __init__(self, text):
        code, bare, comments = [], [], []
        at = 0
        for match in _TOKEN.finditer(text):
            between, token = text[at:match.start()], match.group()
            is_comment = match.lastgroup in ("line", "block")
            is_text = match.lastgroup in ("raw", "mark", "string", "char")
            # An include in quotes is code, not a string.
            if match.lastgroup == "string" and re.search(r"#\s*include\s*$", between):
                is_text = False
            code.append(between + (_blank(token) if is_comment else token))
            bare.append(between + (_blank(token) if is_comment or is_text else token))
            comments.append(_blank(between) + (token if is_comment else _blank(token)))
            at = match.end()
        rest = text[at:]
        self.text = text.split("\n")
        self.code = ("".join(code) + rest).split("\n")
        self.bare = ("".join(bare) + rest).split("\n")
        self.comments = ("".join(comments) + _blank(rest)).split("\n")
