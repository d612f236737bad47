"""Read a recording's header, cut parts out of it, and convert it to FLAC."""

from __future__ import annotations

import math
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import soundfile as sf

from fonoteka.audiocheck.containers.container import CorruptFileError
from fonoteka.audiocheck.containers.sniff import layout_of
from fonoteka.audiocheck.ffmpeg import FFMPEG_SUFFIXES, input_options
from fonoteka.audiocheck.probe import DECODE_ERRORS
from fonoteka.core.errors import UserError

UNKNOWN_FRAMES = 2**62  # from here on a header states that the length is unknown
SAME_S = 0.1  # a part that omits at most this much is the whole recording
OVERSHOOT_S = 0.5  # a part may end this far after the sound, as in Kaldi, and is cut at its end
FLAC_CHANNELS = 8
BLOCK = 65536
CONVERT_TIMEOUT_S = 600


@dataclass(frozen=True)
class AudioHeader:
    """The fields of a recording's header that an import uses."""

    seconds: float
    subtype: str
    channels: int


@dataclass(frozen=True)
class AudioPart:
    """A part of a recording, in seconds, and the file to write it to."""

    start_s: float
    end_s: float
    path: Path


def sound_of(path: Path) -> AudioHeader | None:
    """Return a recording's header, or None if soundfile cannot read it.

    A FLAC file from a pipe states no length, so its frames are counted; None if it was cut.
    """
    try:
        info = sf.info(path)
        is_stated = info.frames < UNKNOWN_FRAMES
        frames = info.frames if is_stated else layout_of(path.read_bytes()).frames or 0
    except (*DECODE_ERRORS, CorruptFileError):
        return None
    return AudioHeader(frames / info.samplerate, info.subtype, info.channels)


def needs_ffmpeg(path: str, sound: AudioHeader | None) -> bool:
    """Return whether only ffmpeg may be able to read a file.

    >>> needs_ffmpeg("a.m4a", None), needs_ffmpeg("broken.wav", None)
    (True, False)
    """
    return sound is None and PurePosixPath(path).suffix.lower() in FFMPEG_SUFFIXES


def ffmpeg_is_there() -> bool:
    """Return whether ffmpeg is installed."""
    return shutil.which("ffmpeg") is not None


def within(span_s: tuple[float, float], sound: AudioHeader) -> tuple[float, float] | None:
    """Return the times of a part within a recording, or None if it is the whole recording.

    Raises:
        ValueError: the part is outside; the message states the length of the recording.

    >>> within((0.5, math.inf), AudioHeader(2.0, "PCM_16", 1))
    (0.5, 2.0)
    """
    start, end = span_s
    end_s = min(end, sound.seconds)
    overshoot = 0.0 if math.isinf(end) else end - end_s
    if not (0 <= start < end_s and overshoot <= OVERSHOOT_S):
        raise UserError(f"{start:g} to {end:g} s is not within its {sound.seconds:.3f} s")
    return None if start + sound.seconds - end_s <= SAME_S else (start, end_s)


def suffix_of_part(sound: AudioHeader) -> str:
    """Return the suffix of a part: FLAC, or WAV if FLAC cannot store it without loss.

    >>> suffix_of_part(AudioHeader(1.0, "PCM_16", 1)), suffix_of_part(AudioHeader(1.0, "FLOAT", 1))
    ('.flac', '.wav')
    """
    fits_flac = sound.channels <= FLAC_CHANNELS and _kept_as(sound.subtype)[0] in (
        "PCM_16",
        "PCM_24",
    )
    return ".flac" if fits_flac else ".wav"


def cut(path: Path, parts: Sequence[AudioPart]) -> None:
    """Write parts of a recording with unchanged samples.

    Lossy encodings are stored at 16 bits, as in all later stages.

    Raises:
        ValueError: the recording ends before a part does, or cannot be read.
    """
    reader = sf.SoundFile(path)
    exact = reader.format not in ("OGG", "MP3", "MPEG")  # Opus is off by a little after a seek
    subtype, dtype = _kept_as(reader.subtype)
    try:
        for part in sorted(parts, key=lambda part: (part.start_s, part.end_s, part.path)):
            start, end = (round(t * reader.samplerate) for t in (part.start_s, part.end_s))
            if not exact and start < reader.tell():
                reader.close()
                reader = sf.SoundFile(path)
            if exact:
                reader.seek(start)
            while reader.tell() < start and len(
                reader.read(min(BLOCK, start - reader.tell()), dtype="float32")
            ):
                pass
            samples = reader.read(end - start, dtype=dtype, always_2d=True)
            missing = end - start - len(samples)  # some headers state a little more than there is
            if not len(samples) or missing > OVERSHOOT_S * reader.samplerate:
                raise UserError(f"{path}: ends before {part.end_s:g} s; leave out that part")
            if dtype == "float32" and subtype == "PCM_16":
                samples = np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16)
            part.path.parent.mkdir(parents=True, exist_ok=True)
            sf.write(part.path, samples, reader.samplerate, subtype=subtype)
    finally:
        reader.close()


def _kept_as(subtype: str) -> tuple[str, str]:
    """Return the encoding for parts of a recording, and the type to read its samples as."""
    same = {"PCM_16": "int16", "PCM_24": "int32", "PCM_32": "int32", "FLOAT": "float32",
            "DOUBLE": "float64"}  # fmt: skip
    return (subtype, same[subtype]) if subtype in same else ("PCM_16", "float32")


def convert(path: Path, flac: Path) -> str:
    """Convert a recording to FLAC with ffmpeg; return the error message, empty on success.

    Tags are not copied, and ffmpeg does not add its own.
    """
    flac.parent.mkdir(parents=True, exist_ok=True)
    kind = FFMPEG_SUFFIXES[path.suffix.lower()]
    command = [
        "ffmpeg", "-nostdin", "-v", "error", *input_options(path, kind),
        "-map_metadata", "-1", "-sample_fmt", "s16",
        "-fflags", "+bitexact", "-flags:a", "+bitexact", "-f", "flac", f"file:{flac}",
    ]  # fmt: skip
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False,
            timeout=CONVERT_TIMEOUT_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        flac.unlink(missing_ok=True)
        return f"ffmpeg took longer than {CONVERT_TIMEOUT_S} s"
    if result.returncode or sound_of(flac) is None:
        flac.unlink(missing_ok=True)
        return " ".join(result.stderr.split())[-200:] or f"ffmpeg ended with {result.returncode}"
    return ""
