"""Shared parts of the container readers: the layout of a file and the error.

A decoder plays what it can. These readers do the opposite: they compare every number of a header
with another number or with the file's size, and refuse contradictions.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

UNREADABLE, TRUNCATED, UNKNOWN_LENGTH = "unreadable", "truncated", "unknown length"
NOT_STATED = "length not stated"
"""Note on a file that was written to a pipe and ends on a whole sample, block or frame."""


class CorruptFileError(Exception):
    """The file contradicts its own header, is damaged, or has a form that is not checked.

    Attributes:
        problem: `unreadable`, `truncated` or `unknown length`.
        detail: the contradiction, with its values.
    """

    def __init__(self, problem: str, detail: str) -> None:
        super().__init__(detail)
        self.problem, self.detail = problem, detail


@dataclass(frozen=True)
class RawSamples:
    """Uncompressed samples, stored one after the other.

    Attributes:
        code: `u1`, or `i` or `f` and the bytes per sample.
        big: samples are big-endian.
        start: position of the first sample in the file.
        unused_bits: low bits of each sample that must be zero.
    """

    code: str
    big: bool
    start: int
    unused_bits: int = 0


@dataclass(frozen=True)
class Layout:
    """The sound of a file as its container describes it.

    Attributes:
        sample_rate_hz: samples per second and channel; 0 if only the decoder knows.
        channels: 0 if only the decoder knows.
        frames: samples per channel; None if only the decoder knows.
        spare: additional samples that a decoder may return, because codecs pad the last block.
        start: position of the container, after tags that precede it.
        raw: place and form of uncompressed samples; None if they are compressed.
        md5: of the samples, as FLAC stores it; empty if absent.
        bits: per sample, if `md5` is given.
        codec: container and encoding of a file that needs no decoder; else empty.
        parts: byte strings to decode in this order instead of the file, because a decoder cannot
            read the file as it is; empty if it can. `start` and `raw` then refer to a part.
        sound_frames: samples per channel that are sound, if the decoder returns more; else 0.
        ffmpeg_format: ffmpeg's name of the format, if libsndfile lacks the codec; else empty.
        notes: oddities that do not affect the samples, such as a length that is not stated.
    """

    sample_rate_hz: int = 0
    channels: int = 0
    frames: int | None = None
    spare: int = 0
    start: int = 0
    raw: RawSamples | None = None
    md5: bytes = b""
    bits: int = 0
    codec: str = ""
    parts: tuple[bytes, ...] = ()
    sound_frames: int = 0
    ffmpeg_format: str = ""
    notes: tuple[str, ...] = ()


def number(data: bytes, position: int, code: str) -> int:
    """Return the integer at a position, in the `struct` format `code`.

    Raises:
        CorruptFileError: the file ends before it.
    """
    try:
        return int(struct.unpack_from(code, data, position)[0])
    except struct.error as error:
        raise CorruptFileError(TRUNCATED, f"ends at byte {len(data)} inside its header") from error
