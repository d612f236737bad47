"""Text of others in a Markdown page."""

from __future__ import annotations

import re

_MARKUP = re.compile(r"([\\`*_\[\]<>|~#&])")


def plain(text: str) -> str:
    r"""Return text of others so that Markdown shows it as it is, on one line.

    >>> plain("a|b <img>\n[x](y)")
    'a\\|b \\<img\\> \\[x\\](y)'
    """
    shown = "".join(c if c.isprintable() else " " for c in text)
    return _MARKUP.sub(r"\\\1", " ".join(shown.split()))
