"""Read the samples of a recording that `probe` has accepted, as `probe` decoded them.

ffmpeg, if it is installed, reads the formats that libsndfile cannot. A file that libsndfile cannot
read as it is, such as one that states no length, is corrected first. The structure of the file
decides which of these it needs, as it does in `probe`.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile as sf

from fonoteka.audiocheck.containers.container import CorruptFileError, Layout
from fonoteka.audiocheck.containers.sniff import layout_of
from fonoteka.audiocheck.dr_flac import decode_flac_12_20, decode_flac_16
from fonoteka.audiocheck.ffmpeg import decode_with_ffmpeg, ffmpeg_format
from fonoteka.core.errors import UserError

_MAX_S = 24 * 3600.0  # `probe` has checked the length
_UNKNOWN_FRAMES = 2**62  # from here on a header states that the length is unknown


def read_sound(path: Path) -> tuple[npt.NDArray[np.float32], int]:
    """Return a file's samples and their rate in Hz.

    A file that `probe` would refuse is read as soundfile reads it.

    Returns:
        Samples in [-1, 1], shape `[frames]` for one channel and `[frames, channels]` for more; and
        the sample rate in Hz.

    Raises:
        ValueError: ffmpeg is needed and is not installed, or reports an error; or the file states
            no length and its end cannot be determined.
        soundfile.LibsndfileError: libsndfile cannot read the file.
    """
    data = path.read_bytes()
    try:
        name = ffmpeg_format(data)
        layout = Layout(ffmpeg_format=name) if name else layout_of(data)
    except CorruptFileError as broken:
        if sf.info(path).frames >= _UNKNOWN_FRAMES:
            raise UserError(f"states no length ({broken.detail}); convert it") from broken
        layout = Layout()
    if layout.ffmpeg_format:
        sound = decode_with_ffmpeg(path, layout.ffmpeg_format, _MAX_S)
        return _from_16_bits(sound.samples, sound.channels), sound.sample_rate_hz
    part = layout.parts[0] if len(layout.parts) == 1 else data
    if (pcm := decode_flac_16(part, layout)) is not None:
        return _from_16_bits(pcm, layout.channels), layout.sample_rate_hz
    if (samples_32 := decode_flac_12_20(part, layout)) is not None:
        scaled = (samples_32 * 2.0**-31).astype(np.float32)
        return _by_channel(scaled, layout.channels), layout.sample_rate_hz
    frames = layout.sound_frames or -1
    if not layout.parts and not layout.start:
        samples, rate = sf.read(path, frames, dtype="float32")
        return samples, rate
    parts = (part[layout.start :] for part in layout.parts or (data,))
    read = [sf.read(io.BytesIO(part), frames, dtype="float32") for part in parts]
    return np.concatenate([samples for samples, _ in read]), read[0][1]


def _from_16_bits(samples: npt.NDArray[np.int16], channels: int) -> npt.NDArray[np.float32]:
    """Return interleaved samples in the scale and shape that soundfile uses."""
    return _by_channel(samples.astype(np.float32) / np.float32(32768), channels)


def _by_channel(scaled: npt.NDArray[np.float32], channels: int) -> npt.NDArray[np.float32]:
    return scaled.reshape(-1, channels) if channels > 1 else scaled
