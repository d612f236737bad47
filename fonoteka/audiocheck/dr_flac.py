"""Decode short FLAC files of 16 bits in half of libsndfile's time, to be held against their MD5.

The decoder is dr_flac, which the package miniaudio brings. It is asked first because a FLAC file
carries the MD5 of its samples: who decoded them doesn't matter where that agrees. What it doesn't
decode to that MD5 is left to libsndfile, whose verdict counts. Files of 12 and 20 bits, which
libsndfile lacks, are decoded here alone, under the same proof.
"""

from __future__ import annotations

import hashlib
from typing import Any

import _miniaudio  # type: ignore[import-not-found]
import numpy as np
import numpy.typing as npt

from fonoteka.audiocheck.containers.container import Layout
from fonoteka.audiocheck.private_api import require

PINNED = "1.71"
NAMES = (
    "ffi.NULL", "ffi.from_buffer", "lib.ma_dr_flac_close", "lib.ma_dr_flac_open_memory",
    "lib.ma_dr_flac_read_pcm_frames_s16", "lib.ma_dr_flac_read_pcm_frames_s32",
)  # fmt: skip
require("miniaudio", PINNED, _miniaudio, NAMES)

MOST_SAMPLES = 1 << 21
"""Of all channels, which lie in memory at once: 4 MiB."""

_C: Any = _miniaudio.ffi
_LIBRARY: Any = _miniaudio.lib


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
    samples = np.empty(size, np.int16)
    if not _decode(data, layout, samples, "s16"):
        return None
    return samples if _md5(samples.astype("<i2", copy=False)) == layout.md5 else None


def odd_flac(data: bytes, layout: Layout) -> npt.NDArray[np.int32] | None:
    """Return samples as `quick_flac` does, of the depths that libsndfile lacks: 12 and 20 bits.

    Returns:
        Shape `[frames * channels]`, full scale is 2**31; None as in `quick_flac`.
    """
    size = (layout.frames or 0) * layout.channels
    if layout.bits not in (12, 20) or not layout.md5 or not 0 < size <= MOST_SAMPLES:
        return None
    samples = np.empty(size, np.int32)
    if layout.start or not _decode(data, layout, samples, "s32"):
        return None
    values = (samples >> (32 - layout.bits)).astype("<i4")
    kept = values.view(np.uint8).reshape(-1, 4)[:, : -(-layout.bits // 8)]
    return samples if _md5(np.ascontiguousarray(kept)) == layout.md5 else None


def _decode(data: bytes, layout: Layout, samples: npt.NDArray[Any], kind: str) -> bool:
    """Fill an array with a file's samples; False where they are others than the layout says."""
    opened = _LIBRARY.ma_dr_flac_open_memory(data, len(data), _C.NULL)
    if opened == _C.NULL:
        return False
    try:
        if (opened.channels, opened.bitsPerSample) != (layout.channels, layout.bits):
            return False
        into = _C.from_buffer(f"ma_dr_flac_int{kind[1:]}[]", samples, require_writable=True)
        read = getattr(_LIBRARY, f"ma_dr_flac_read_pcm_frames_{kind}")(opened, layout.frames, into)
    finally:
        _LIBRARY.ma_dr_flac_close(opened)
    return bool(read == layout.frames)


def _md5(kept: npt.NDArray[Any]) -> bytes:
    return hashlib.md5(kept.data, usedforsecurity=False).digest()
