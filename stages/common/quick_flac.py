"""Decode short FLAC files of 16 bits in half of libsndfile's time, to be held against their MD5.

The decoder is dr_flac, which the package miniaudio brings. It is asked first because a FLAC file
carries the MD5 of its samples: who decoded them doesn't matter where that agrees. What it doesn't
decode to that MD5 is left to libsndfile, whose verdict counts.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
from _miniaudio import ffi, lib  # type: ignore[import-not-found]

from stages.common.container import Layout

MOST_SAMPLES = 1 << 21
"""Of all channels, which lie in memory at once: 4 MiB."""

_C: Any = ffi
_LIBRARY: Any = lib


def quick_flac(data: bytes, layout: Layout) -> npt.NDArray[np.int16] | None:
    """Return a FLAC file's samples, interleaved, if they are those that its MD5 was made of.

    Args:
        data: the file.
        layout: what its structure says.

    Returns:
        Shape `[frames * channels]`; None where the file isn't a FLAC file of 16 bits with an MD5
        and of `MOST_SAMPLES` at most, or doesn't decode to its MD5.
    """
    size = (layout.frames or 0) * layout.channels
    if layout.bits != 16 or not layout.md5 or layout.start or not 0 < size <= MOST_SAMPLES:
        return None
    opened = _LIBRARY.ma_dr_flac_open_memory(data, len(data), _C.NULL)
    if opened == _C.NULL:
        return None
    samples = np.empty(size, np.int16)
    try:
        if (opened.channels, opened.bitsPerSample) != (layout.channels, layout.bits):
            return None
        into = _C.from_buffer("ma_dr_flac_int16[]", samples, require_writable=True)
        read = _LIBRARY.ma_dr_flac_read_pcm_frames_s16(opened, layout.frames, into)
    finally:
        _LIBRARY.ma_dr_flac_close(opened)
    kept = samples.astype("<i2", copy=False).data
    whole = read == layout.frames and hashlib.md5(kept, usedforsecurity=False).digest()
    return samples if whole == layout.md5 else None
