"""Learn what one file of audio holds, and never fall over one that is broken."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf

UNREADABLE = (sf.LibsndfileError, ValueError, TypeError, RuntimeError, OSError)
"""What `soundfile` is known to raise on broken files."""

_BLOCK = 65536
_UNKNOWN_LENGTH = 2**63 - 1
_STREAMED = 0x7FFF0000  # a writer that could not seek back leaves a data size above this


@dataclass(frozen=True)
class Probe:
    """What a file holds.

    Attributes:
        pcm_sha256: of rate, channels and samples at 16 bits, which is what the shards keep: equal
            sound has equal values in a WAV and in a FLAC file. Empty where nothing was decoded.
        frames: samples of one channel, as decoded and not as declared.
        sample_rate_hz: 0 where the file is unreadable.
        channels: 0 where the file is unreadable.
        codec: container and encoding, such as `FLAC PCM_16`.
        peak: largest magnitude, 1 is full scale.
        finite: False where a sample is NaN or infinite.
        error: why the file is unreadable; empty where it is not.
    """

    pcm_sha256: str = ""
    frames: int = 0
    sample_rate_hz: int = 0
    channels: int = 0
    codec: str = ""
    peak: float = 0.0
    finite: bool = True
    error: str = ""


def probe(path: Path) -> Probe:
    """Decode a whole file, block by block, and return what it holds, also where it is broken."""
    try:
        with sf.SoundFile(path) as file:
            if file.frames == _UNKNOWN_LENGTH:
                return Probe(
                    error="declares no length; convert it, for example with flac or ffmpeg"
                )
            return _decode(file)
    except UNREADABLE as error:
        # The library's sentence without the path: a table must not depend on where the folder lies.
        text = getattr(error, "error_string", str(error)).replace(str(path), path.name)
        return Probe(error=" ".join(text.split()).removeprefix("Error : ") or type(error).__name__)


def _decode(file: sf.SoundFile) -> Probe:
    rate, channels = file.samplerate, file.channels
    digest = hashlib.sha256(f"{rate} {channels} ".encode())
    frames, peak, finite = 0, 0.0, True
    while len(block := file.read(_BLOCK, dtype="float32", always_2d=True)):
        frames += len(block)
        if not np.isfinite(block).all():
            finite = False
            block = np.nan_to_num(block, posinf=1.0, neginf=-1.0)
        peak = max(peak, float(np.abs(block).max()))
        pcm = np.clip(np.rint(block * 32768.0), -32768, 32767).astype("<i2")
        digest.update(pcm.tobytes())
    codec = f"{file.format} {file.subtype}"
    error = _truncation(file.extra_info) if file.format.startswith("WAV") else ""
    if frames < file.frames:
        error = f"ends after {frames} of {file.frames} samples"
    return Probe(digest.hexdigest(), frames, rate, channels, codec, peak, finite, error)


def _truncation(log: str) -> str:
    """Say how much of a WAV file's sound is missing, from libsndfile's log; it reads such a file.

    >>> _truncation("data : 16000 (should be 8000)")
    'ends after 8000 of 16000 bytes of sound'
    """
    found = re.search(r"^data : (\d+) \(should be (\d+)\)", log, re.MULTILINE)
    if not found:
        return ""
    declared, present = int(found[1]), int(found[2])
    if declared <= present or declared >= _STREAMED:
        return ""
    return f"ends after {present} of {declared} bytes of sound"
