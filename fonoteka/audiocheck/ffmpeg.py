"""Decode with ffmpeg what libsndfile can't read: m4a, webm, amr, wma, aac.

ffmpeg is not part of this project: it is asked where it is installed, and it is told what the file
is, so that it can't take it for a playlist and open what the playlist names.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fonoteka.core.errors import UserError
from fonoteka.core.run_stage import die_with_parent

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


def foreign_kind(data: bytes) -> str:
    """Return what a file is that only ffmpeg reads, by ffmpeg's name; empty where it is none.

    The name is given to ffmpeg, so that it can't take the bytes for a playlist of other files.

    >>> foreign_kind(b"#!AMR" + bytes(1)), foreign_kind(b"RIFF")
    ('amr', '')
    """
    if data[4:8] == b"ftyp":
        return "mov"
    if data.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if data.startswith(b"#!AMR"):
        return "amr"
    if data.startswith(bytes.fromhex("3026b2758e66cf11")):
        return "asf"
    return "aac" if _is_adts(data) else ""


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
        "-protocol_whitelist", "file", "-f", kind, "-i", f"file:{path}", "-map", "0:a:0",
        "-t", f"{max_s + 1:g}", "-c:a", "pcm_s16be", "-flags", "+bitexact", "-f", "au", "pipe:1",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=_DECODE_S,
            preexec_fn=partial(die_with_parent, os.getpid()),  # a worker that is ended ends it too
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
