"""Read a recording that a user names: one sentence for a file that cannot be decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from fonoteka.audiocheck.decode import read_sound
from fonoteka.audiocheck.probe import DECODE_ERRORS
from fonoteka.core.errors import UserError


def read_recording(path: Path) -> tuple[npt.NDArray[np.float32], int]:
    """Return a file's samples, as `read_sound` does, and their rate in Hz.

    Raises:
        UserError: the file does not exist or cannot be decoded.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        return read_sound(path)
    except DECODE_ERRORS as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> UserError:
    """Return the error to raise for a file that raised one of `DECODE_ERRORS`."""
    return UserError(f"{path}: not a recording that can be read: {error}")
