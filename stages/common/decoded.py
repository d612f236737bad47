"""Read the sound of a clip that the inventory has taken, as the inventory heard it.

What libsndfile can't read, ffmpeg does where it is installed. Which of the two a file is for is
told from its first bytes, as it was when it was checked.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile as sf

from stages.common.foreign import HEAD_BYTES, decode_foreign, foreign_kind

_MAX_S = 24 * 3600.0  # the inventory has checked the length


def read_sound(path: Path) -> tuple[npt.NDArray[np.float32], int]:
    """Return a file's samples and their rate in Hz.

    Returns:
        Samples in [-1, 1], shape `[frames]` for one channel and `[frames, channels]` for more; and
        samples of one channel in a second.

    Raises:
        ValueError: ffmpeg is needed and isn't there, or finds a fault.
        soundfile.LibsndfileError: libsndfile can't read the file.
    """
    with path.open("rb") as file:
        kind = foreign_kind(file.read(HEAD_BYTES))
    if kind:
        sound = decode_foreign(path, kind, _MAX_S)
        heard = sound.samples.astype(np.float32) / np.float32(32768)
        many = sound.channels > 1
        return heard.reshape(-1, sound.channels) if many else heard, sound.sample_rate_hz
    samples, rate = sf.read(path, dtype="float32")
    return samples, rate
