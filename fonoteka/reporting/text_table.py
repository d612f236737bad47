"""Tables that a person reads in a terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def table(
    header: Sequence[str], rows: Sequence[Sequence[object]], left: Collection[int] = (0,)
) -> str:
    """Return a table, a dash where nothing is to say.

    Args:
        header: names of the columns.
        rows: a cell a column; None is nothing to say.
        left: numbers of the columns that stand left; the others stand right.

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
