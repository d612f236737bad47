"""Escaping of user text in Markdown pages."""

from __future__ import annotations

import re

_MARKUP = re.compile(r"([\\`*_\[\]<>|~#&])")


def plain(text: str) -> str:
    r"""Return user text escaped for Markdown, on one line.

    >>> plain("a|b <img>\n[x](y)")
    'a\\|b \\<img\\> \\[x\\](y)'
    """
    printable = "".join(c if c.isprintable() else " " for c in text)
    return _MARKUP.sub(r"\\\1", " ".join(printable.split()))
