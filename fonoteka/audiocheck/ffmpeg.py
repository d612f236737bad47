"""Decode with ffmpeg what libsndfile can't read: m4a, webm, amr, wma, aac.

ffmpeg is not part of this project: it is asked where it is installed, and it is told what the file
is, so that it can't take it for a playlist and open what the playlist names.
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

HEAD_BYTES = 1 << 13  # by which a kind is known: the first frame of AAC may be as long
_AU_HEAD = 24
_DECODE_S = 300  # the inventory's workers have a limit of their own that is far below


@dataclass(frozen=True)
class Sound:
    """What ffmpeg made of a file.

    Attributes:
        samples: interleaved, at 16 bits, shape `[frames * channels]`.
        sample_rate_hz: samples of one channel in a second.
        channels: number of channels.
        codec: `ffmpeg` and its name of the container.
    """

    samples: npt.NDArray[np.int16]
    sample_rate_hz: int
    channels: int
    codec: str


@dataclass(frozen=True)
class ForeignFormat:
    """A container that only ffmpeg reads.

    Attributes:
        name: ffmpeg's.
        suffixes: of its files.
        signature: the bytes of each file from byte `offset` on; empty for AAC, which has none.
        offset: in bytes.
    """

    name: str
    suffixes: tuple[str, ...]
    signature: bytes = b""
    offset: int = 0


FOREIGN_FORMATS = (
    ForeignFormat("mov", (".m4a", ".mp4"), b"ftyp", 4),
    ForeignFormat("matroska", (".webm",), b"\x1a\x45\xdf\xa3"),
    ForeignFormat("amr", (".amr",), b"#!AMR"),
    ForeignFormat("asf", (".wma",), bytes.fromhex("3026b2758e66cf11")),
    ForeignFormat("aac", (".aac",)),
)
FOREIGN_SUFFIXES = MappingProxyType(
    {s: each.name for each in FOREIGN_FORMATS for s in each.suffixes}
)
"""ffmpeg's name of the format for each suffix."""


def foreign_kind(data: bytes) -> str:
    """Return ffmpeg's name of the format of a file that only ffmpeg reads; else an empty string.

    >>> foreign_kind(b"#!AMR" + bytes(1)), foreign_kind(b"RIFF")
    ('amr', '')
    """
    for each in FOREIGN_FORMATS:
        if each.signature and data.startswith(each.signature, each.offset):
            return each.name
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
    """Tell whether bytes are AAC as it is broadcast: one head, and another where the first says."""
    if len(data) < 7 or data[0] != 0xFF or data[1] & 0xF6 != 0xF0:
        return False
    size = int.from_bytes(data[3:6], "big") >> 5 & 0x1FFF
    return size >= 7 and data[size : size + 2] == data[:2]


def decode_foreign(path: Path, kind: str, max_s: float) -> Sound:
    """Return the first audio stream of a file, and of a longer one a second more than `max_s`.

    Args:
        path: of the file.
        kind: ffmpeg's name of its format, see `foreign_kind`.
        max_s: seconds of sound.

    Raises:
        ValueError: ffmpeg isn't installed, fails, or finds a fault in the file.
    """
    program = shutil.which("ffmpeg")
    if not program:
        raise UserError(f"is {kind}, which ffmpeg would read, but ffmpeg is not installed")
    command = [
        program, "-nostdin", "-v", "error", "-xerror", "-err_detect", "explode", "-threads", "1",
        *input_options(path, kind), "-t", f"{max_s + 1:g}",
        "-c:a", "pcm_s16be", "-flags", "+bitexact", "-f", "au", "pipe:1",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=_DECODE_S,
            preexec_fn=child_preexec(),  # a worker that is ended ends it too
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(f"ffmpeg did not finish within {_DECODE_S} s") from error
    if done.returncode or done.stderr.strip():
        said = done.stderr.decode("utf-8", "replace").replace(str(path), path.name)
        raise UserError(f"ffmpeg found a fault: {' '.join(said.split())[-200:]!a}")
    return _from_au(done.stdout, kind)


def _from_au(data: bytes, kind: str) -> Sound:
    """Return what ffmpeg wrote: AU, the one format whose head it can finish without seeking."""
    if data[:4] != b".snd" or len(data) < _AU_HEAD:
        raise UserError("ffmpeg gave no sound")
    offset, rate, channels = (int.from_bytes(data[at : at + 4], "big") for at in (4, 16, 20))
    if not rate or not channels or (len(data) - offset) % (2 * channels):
        raise UserError(f"ffmpeg gave {len(data) - offset} bytes of {channels} channels")
    samples = np.frombuffer(data, ">i2", offset=offset).astype(np.int16)
    return Sound(samples, rate, channels, f"ffmpeg {kind}")
