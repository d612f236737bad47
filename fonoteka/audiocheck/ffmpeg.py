"""Decode the formats that libsndfile lacks with ffmpeg: m4a, webm, amr, wma, aac.

ffmpeg is not part of this project and is used only if it is installed. It is given the format of
the file, so that it does not read the file as a playlist and open what the playlist names.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from fonoteka.core.errors import UserError
from fonoteka.core.run_stage import child_preexec

HEAD_BYTES = 1 << 13  # enough to detect a format: the first frame of AAC may be as long
AU_HEAD = 24  # bytes of the header of AU without a text
_DECODE_S = 300  # far above the time limit of the inventory's workers


@dataclass(frozen=True)
class DecodedAudio:
    """The samples of a file that ffmpeg decoded.

    Attributes:
        samples: interleaved, at 16 bits, shape `[frames * channels]`.
        sample_rate_hz: samples per second and channel.
        channels: number of channels.
        codec: `ffmpeg` and its name of the container.
    """

    samples: npt.NDArray[np.int16]
    sample_rate_hz: int
    channels: int
    codec: str


@dataclass(frozen=True)
class FfmpegFormat:
    """A container that only ffmpeg reads.

    Attributes:
        name: ffmpeg's name of the format.
        suffixes: of its files.
        signature: bytes that every file has at `offset`; empty for AAC, which has no signature.
        offset: in bytes.
    """

    name: str
    suffixes: tuple[str, ...]
    signature: bytes = b""
    offset: int = 0


FFMPEG_FORMATS = (
    FfmpegFormat("mov", (".m4a", ".mp4"), b"ftyp", 4),
    FfmpegFormat("matroska", (".webm",), b"\x1a\x45\xdf\xa3"),
    FfmpegFormat("amr", (".amr",), b"#!AMR"),
    FfmpegFormat("asf", (".wma",), bytes.fromhex("3026b2758e66cf11")),
    FfmpegFormat("aac", (".aac",)),
)
FFMPEG_SUFFIXES = MappingProxyType(
    {s: known_format.name for known_format in FFMPEG_FORMATS for s in known_format.suffixes}
)
"""ffmpeg's name of the format for each suffix."""


def ffmpeg_format(data: bytes) -> str:
    """Return ffmpeg's name of the format of a file that only ffmpeg reads; else an empty string.

    >>> ffmpeg_format(b"#!AMR" + bytes(1)), ffmpeg_format(b"RIFF")
    ('amr', '')
    """
    for known_format in FFMPEG_FORMATS:
        if known_format.signature and data.startswith(known_format.signature, known_format.offset):
            return known_format.name
    return "aac" if _is_adts(data) else ""


def input_options(path: Path, kind: str) -> list[str]:
    """Return the options by which ffmpeg reads the first audio stream of one file and no other.

    The format is given and not left to ffmpeg to guess: a playlist under the name of a recording
    could make it read other files.
    """
    return [
        "-protocol_whitelist", "file", "-f", kind, "-i", f"file:{path}", "-map", "0:a:0",
    ]  # fmt: skip


def _is_adts(data: bytes) -> bool:
    """Return whether bytes are AAC in ADTS: a header, and another one at the end of its frame."""
    if len(data) < 7 or data[0] != 0xFF or data[1] & 0xF6 != 0xF0:
        return False
    size = int.from_bytes(data[3:6], "big") >> 5 & 0x1FFF
    return size >= 7 and data[size : size + 2] == data[:2]


def decode_with_ffmpeg(path: Path, kind: str, max_s: float) -> DecodedAudio:
    """Return the first audio stream of a file, at most `max_s` and one second.

    Args:
        path: of the file.
        kind: ffmpeg's name of its format, see `ffmpeg_format`.
        max_s: seconds of sound.

    Raises:
        ValueError: ffmpeg is not installed, fails, or reports an error in the file.
    """
    program = shutil.which("ffmpeg")
    if not program:
        raise UserError(f"is {kind}, which ffmpeg would read, but ffmpeg is not installed")
    try:
        result = subprocess.run(
            decode_command(program, path, kind, max_s),
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=_DECODE_S,
            preexec_fn=child_preexec(),  # ffmpeg ends with its worker
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(f"ffmpeg did not finish within {_DECODE_S} s") from error
    if result.returncode or result.stderr.strip():
        message = result.stderr.decode("utf-8", "replace").replace(str(path), path.name)
        raise UserError(f"ffmpeg found a fault: {' '.join(message.split())[-200:]!a}")
    return _from_au(result.stdout, kind)


def decode_command(program: str, path: Path, kind: str, max_s: float | None) -> list[str]:
    """Return the command that writes the first audio stream of a file to stdout: AU with 16 bits.

    Args:
        program: the path of ffmpeg.
        path: of the file.
        kind: ffmpeg's name of its format, see `ffmpeg_format`.
        max_s: seconds of sound, and one more; None for all.
    """
    limit = [] if max_s is None else ["-t", f"{max_s + 1:g}"]
    return [
        program, "-nostdin", "-v", "error", "-xerror", "-err_detect", "explode", "-threads", "1",
        *input_options(path, kind), *limit,
        "-c:a", "pcm_s16be", "-flags", "+bitexact", "-f", "au", "pipe:1",
    ]  # fmt: skip


def _from_au(data: bytes, kind: str) -> DecodedAudio:
    """Parse ffmpeg's output: AU, the only format whose header it can write without seeking."""
    if data[:4] != b".snd" or len(data) < AU_HEAD:
        raise UserError("ffmpeg gave no sound")
    offset, rate, channels = (
        int.from_bytes(data[position : position + 4], "big") for position in (4, 16, 20)
    )
    if not rate or not channels or (len(data) - offset) % (2 * channels):
        raise UserError(f"ffmpeg gave {len(data) - offset} bytes of {channels} channels")
    samples = np.frombuffer(data, ">i2", offset=offset).astype(np.int16)
    return DecodedAudio(samples, rate, channels, f"ffmpeg {kind}")
