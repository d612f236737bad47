"""Read the sound of a clip that the inventory has taken, as the inventory heard it.

What libsndfile can't read, ffmpeg does where it is installed; what libsndfile can't take as it is,
such as a file that states no length, is put right first. Which of these a file needs is told from
its structure, as it was when it was checked.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile as sf

from fonoteka.audiocheck.containers.container import Broken, Layout
from fonoteka.audiocheck.containers.sniff import layout_of
from fonoteka.audiocheck.dr_flac import odd_flac, quick_flac
from fonoteka.audiocheck.ffmpeg import decode_foreign, foreign_kind
from fonoteka.core.errors import UserError

_MAX_S = 24 * 3600.0  # the inventory has checked the length
_UNKNOWN_FRAMES = 2**62  # from here on a head says that it doesn't know the length


def read_sound(path: Path) -> tuple[npt.NDArray[np.float32], int]:
    """Return a file's samples and their rate in Hz.

    A file that the inventory would refuse is read as soundfile reads it.

    Returns:
        Samples in [-1, 1], shape `[frames]` for one channel and `[frames, channels]` for more; and
        samples of one channel in a second.

    Raises:
        ValueError: ffmpeg is needed and isn't there, or finds a fault; or the file states no length
            and its end can't be told.
        soundfile.LibsndfileError: libsndfile can't read the file.
    """
    data = path.read_bytes()
    try:
        kind = foreign_kind(data)
        layout = Layout(foreign=kind) if kind else layout_of(data)
    except Broken as broken:
        if sf.info(path).frames >= _UNKNOWN_FRAMES:
            raise UserError(f"states no length ({broken.detail}); convert it") from broken
        layout = Layout()
    if layout.foreign:
        sound = decode_foreign(path, layout.foreign, _MAX_S)
        return _from_16_bits(sound.samples, sound.channels), sound.sample_rate_hz
    part = layout.parts[0] if len(layout.parts) == 1 else data
    if (pcm := quick_flac(part, layout)) is not None:
        return _from_16_bits(pcm, layout.channels), layout.sample_rate_hz
    if (deep := odd_flac(part, layout)) is not None:
        scaled = (deep * 2.0**-31).astype(np.float32)
        return _by_channel(scaled, layout.channels), layout.sample_rate_hz
    most = layout.keep or -1
    if not layout.parts and not layout.start:
        samples, rate = sf.read(path, most, dtype="float32")
        return samples, rate
    parts = (part[layout.start :] for part in layout.parts or (data,))
    read = [sf.read(io.BytesIO(part), most, dtype="float32") for part in parts]
    return np.concatenate([samples for samples, _ in read]), read[0][1]


def _from_16_bits(samples: npt.NDArray[np.int16], channels: int) -> npt.NDArray[np.float32]:
    """Return interleaved samples as soundfile gives them."""
    return _by_channel(samples.astype(np.float32) / np.float32(32768), channels)


def _by_channel(scaled: npt.NDArray[np.float32], channels: int) -> npt.NDArray[np.float32]:
    return scaled.reshape(-1, channels) if channels > 1 else scaled
