"""Keep the prints of all clips in one file, a row a clip, as the inventory's table has them.

The inventory makes them while it has the sound; dedupe need not decode a clip again to know what it
is like. Each row begins with a number made of the clip's `pcm_sha256`, so that a table and prints
of another run are never taken for one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_file
from fonoteka.fingerprint.fingerprint import SIZE, Codes

_ROW = SIZE + 1
_DTYPE = np.dtype("<u8")
_AT_ONCE = 4096  # rows


def as_row(pcm_sha256: str, codes: Codes) -> bytes:
    """Return a clip's row; of a clip without a print, codes are empty.

    >>> len(as_row("00ff" * 16, np.arange(1, 4, dtype=np.uint64)))
    392
    """
    row = np.zeros(_ROW, dtype=_DTYPE)
    row[0] = mark_of(pcm_sha256)
    row[1 : 1 + len(codes)] = codes
    return row.tobytes()


def mark_of(pcm_sha256: str) -> int:
    """Return the first 64 bits of a hash, 0 where there is none."""
    return int(pcm_sha256[:16] or "0", 16)


@contextmanager
def written(path: Path, rows: int) -> Iterator[Callable[[bytes], object]]:
    """Give a function that takes one row after the other, `rows` in all; a NumPy file."""
    header = {"descr": _DTYPE.str, "fortran_order": False, "shape": (rows, _ROW)}
    with atomic_file(path) as part, part.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        yield file.write


def read(path: Path, places: Sequence[int], hashes: Sequence[int]) -> NDArray[np.uint64]:
    """Return the codes of some clips, shape `[clips, SIZE]`, ascending, then zeros.

    Args:
        path: of the file.
        places: of the clips' rows in the inventory's table.
        hashes: of each, see `mark_of`.

    Raises:
        ValueError: the file is missing, no such file, or not that of these clips.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such prints; run the inventory again")
    try:
        every = np.load(path, mmap_mode="r")
    except ValueError as error:
        raise UserError(f"{path}: can't be read: {error}; run the inventory again") from error
    fits = every.dtype == _DTYPE and every.ndim == 2 and every.shape[1] == _ROW
    if not fits or (len(places) and max(places) >= len(every)):
        raise UserError(
            f"{path}: holds {every.dtype} of shape {list(every.shape)}, expected {_DTYPE} of shape "
            f"[clips, {_ROW}] and all clips of the table; run the inventory again"
        )
    at, marks = np.asarray(places, dtype=np.intp), np.asarray(hashes, dtype=np.uint64)
    if other := np.flatnonzero(every[:, 0][at] != marks).tolist():
        raise UserError(
            f"{path}: row {places[other[0]] + 1} is of another sound than in the inventory's "
            "table; run the inventory again"
        )
    codes = np.empty((len(at), SIZE), dtype=np.uint64)
    for start in range(0, len(at), _AT_ONCE):
        codes[start : start + _AT_ONCE] = every[at[start : start + _AT_ONCE], 1:]
    return codes
