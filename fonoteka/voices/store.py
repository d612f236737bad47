"""The vectors of pieces in a folder, as whole numbers.

    pieces.npy     int16 [P, 256]: each vector of length 1, times `SCALE`, rounded
    pieces.csv     part, speaker and clips of each
    left_out.csv   part, speaker and reason of each speaker who has none

Sums and products of whole numbers have no rounding. So what the audit derives from this folder is
the same on every machine, although the vectors themselves differ in the last digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder
from fonoteka.tables import Row, read_table, write_table

SCALE = 2048
"""Steps of a coordinate; rounding moves a cosine by less than 0.004, and by 0.0003 as a rule."""
WIDTH = 256
PIECES, TABLE, LEFT_OUT = "pieces.npy", "pieces.csv", "left_out.csv"
COLUMNS = ("part", "speaker", "clips")
LEFT_OUT_COLUMNS = ("part", "speaker", "reason")


@dataclass(frozen=True)
class VoicePieces:
    """The vectors of all pieces.

    Attributes:
        vectors: whole numbers, shape `[P, 256]`.
        rows: `part`, `speaker` and `clips` of each; clips are ids with spaces between.
        left_out: `part`, `speaker` and `reason` of each speaker without a piece.
    """

    vectors: NDArray[np.int16]
    rows: Sequence[Row]
    left_out: Sequence[Row]


def quantised(vector: NDArray[Any]) -> NDArray[np.int16]:
    """Return a vector of length 1 as whole numbers.

    >>> quantised(np.array([0.6, 0.8])).tolist()
    [1229, 1638]
    """
    return np.rint(np.asarray(vector, np.float64) * SCALE).astype(np.int16)


def write_voices(folder: Path, voices: VoicePieces) -> None:
    """Write the folder."""
    with atomic_folder(folder) as part:
        np.save(part / PIECES, voices.vectors)
        write_table(part / TABLE, COLUMNS, voices.rows)
        write_table(part / LEFT_OUT, LEFT_OUT_COLUMNS, voices.left_out)


def read_voices(folder: Path) -> VoicePieces:
    """Return the content of the folder.

    Raises:
        UserError: a file is missing or damaged, or they are of different runs.
    """
    if not (folder / PIECES).is_file():
        raise UserError(f"{folder / PIECES}: no such file; run dvc repro embed_voices")
    try:
        vectors = np.load(folder / PIECES, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(
            f"{folder / PIECES}: no array to load; run dvc repro -f embed_voices"
        ) from error
    rows = read_table(folder / TABLE, COLUMNS)
    if vectors.dtype != np.int16 or vectors.shape != (len(rows), WIDTH):
        raise UserError(
            f"{folder / PIECES}: {vectors.dtype} of shape {vectors.shape}; expected int16 of shape "
            f"{(len(rows), WIDTH)}; run dvc repro -f embed_voices"
        )
    return VoicePieces(vectors, rows, read_table(folder / LEFT_OUT, LEFT_OUT_COLUMNS))
