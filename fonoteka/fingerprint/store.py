"""Store the fingerprints of all clips in one file, one row per clip in the order of a table.

The fingerprints are computed while the sound is decoded, so later steps need not decode it again.
Each row begins with 64 bits of the clip's `pcm_sha256`, so that a table and a file of two runs
cannot be combined.
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
_ROWS_AT_ONCE = 4096  # rows


def as_row(pcm_sha256: str, codes: Codes) -> bytes:
    """Return a clip's row; `codes` are empty for a clip without a fingerprint.

    >>> len(as_row("00ff" * 16, np.arange(1, 4, dtype=np.uint64)))
    392
    """
    row = np.zeros(_ROW, dtype=_DTYPE)
    row[0] = mark_of(pcm_sha256)
    row[1 : 1 + len(codes)] = codes
    return row.tobytes()


def mark_of(pcm_sha256: str) -> int:
    """Return the first 64 bits of a hexadecimal hash, 0 if it is empty."""
    return int(pcm_sha256[:16] or "0", 16)


@contextmanager
def written(path: Path, rows: int) -> Iterator[Callable[[bytes], object]]:
    """Yield a function that writes one row after the other, `rows` in all, to a NumPy file."""
    header = {"descr": _DTYPE.str, "fortran_order": False, "shape": (rows, _ROW)}
    with atomic_file(path) as part, part.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        yield file.write


def read(path: Path, rows: Sequence[int], hashes: Sequence[int]) -> NDArray[np.uint64]:
    """Return the codes of some clips, shape `[clips, SIZE]`, ascending, then zeros.

    Args:
        path: of the file.
        rows: indices of the clips' rows in the table.
        hashes: of each clip, see `mark_of`.

    Raises:
        ValueError: the file is missing, of another format, or of other clips.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file of fingerprints; run the inventory again")
    try:
        table = np.load(path, mmap_mode="r")  # 0.4 kB per clip, of which only some rows are needed
    except ValueError as error:
        raise UserError(f"{path}: cannot be read: {error}; run the inventory again") from error
    is_store = table.dtype == _DTYPE and table.ndim == 2 and table.shape[1] == _ROW
    if not is_store or (len(rows) and max(rows) >= len(table)):
        raise UserError(
            f"{path}: contains {table.dtype} of shape {list(table.shape)}, expected {_DTYPE} of "
            f"shape [clips, {_ROW}] and all clips of the table; run the inventory again"
        )
    indices, marks = np.asarray(rows, dtype=np.intp), np.asarray(hashes, dtype=np.uint64)
    if mismatches := np.flatnonzero(table[:, 0][indices] != marks).tolist():
        raise UserError(
            f"{path}: row {rows[mismatches[0]] + 1} belongs to other samples than the same row of "
            "the inventory's table; run the inventory again"
        )
    codes = np.empty((len(indices), SIZE), dtype=np.uint64)
    for start in range(0, len(indices), _ROWS_AT_ONCE):
        codes[start : start + _ROWS_AT_ONCE] = table[indices[start : start + _ROWS_AT_ONCE], 1:]
    return codes
