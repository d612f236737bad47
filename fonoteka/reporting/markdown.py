"""Markdown pages: tables, and escaping of user text."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from tabulate import tabulate

_MARKUP = re.compile(r"([\\`*_\[\]<>|~#&])")
_BARE_BAR = re.compile(r"(?<!\\)\|")


def plain(text: str) -> str:
    r"""Return user text escaped for Markdown, on one line.

    >>> plain("a|b <img>\n[x](y)")
    'a\\|b \\<img\\> \\[x\\](y)'
    """
    printable = "".join(c if c.isprintable() else " " for c in text)
    return _MARKUP.sub(r"\\\1", " ".join(printable.split()))


def table(
    header: Sequence[str], rows: Iterable[Sequence[object]], left: Collection[int] = (0,)
) -> str:
    r"""Return a table; a `|` in a cell is escaped unless `plain` has escaped it already.

    Args:
        header: names of the columns.
        rows: one cell per column, numbers as they are printed.
        left: indices of left-aligned columns; the others are right-aligned.

    >>> print(table(["name", "clips"], [["a|b", 12], [plain("c|d"), "-"]]))
    | name   |   clips |
    |:-------|--------:|
    | a\|b   |      12 |
    | c\|d   |       - |
    """
    cells = [[_BARE_BAR.sub(r"\|", str(cell)) for cell in row] for row in (header, *rows)]
    sides = ["left" if i in left else "right" for i in range(len(header))]
    text: str = tabulate(
        cells[1:], cells[0], tablefmt="pipe", colalign=sides, disable_numparse=True
    )
    return text
