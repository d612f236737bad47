"""Text tables for the terminal.

tabulate is not used here because its import takes 40 ms of processor time, and all modules of
`fonoteka status` take 95 ms without it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence


def table(
    header: Sequence[str], rows: Sequence[Sequence[object]], left: Collection[int] = (0,)
) -> str:
    """Return a table; missing values are dashes.

    Args:
        header: names of the columns.
        rows: one cell per column; None is a missing value.
        left: indices of left-aligned columns; the others are right-aligned.

    >>> print(table(["head", "ms"], [["ours", 0.25], ["theirs", None]]))
    head      ms
    ours    0.25
    theirs     -
    """
    cells = [list(header), *(["-" if c is None else str(c) for c in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    )
