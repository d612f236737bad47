"""Decode short FLAC files with dr_flac, in half of libsndfile's time, and verify their MD5.

The package miniaudio contains dr_flac. It comes first because a FLAC file stores the MD5 of its
samples, so any decoder whose samples have this MD5 is right. All other files are left to
libsndfile. Only dr_flac decodes 12 and 20 bits, which libsndfile lacks, with the same check.
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

MAX_SAMPLES = 1 << 21
"""Largest number of samples of all channels, which are in memory at once: 4 MiB."""

_C: Any = _miniaudio.ffi
_LIBRARY: Any = _miniaudio.lib


def decode_flac_16(data: bytes, layout: Layout) -> npt.NDArray[np.int16] | None:
    """Return the interleaved samples of a 16-bit FLAC file if they have the file's MD5.

    Args:
        data: the file.
        layout: of the file.

    Returns:
        Shape `[frames * channels]`; None if the file is not a FLAC file of 16 bits with an MD5 and
        at most `MAX_SAMPLES`, or if its samples do not have this MD5.
    """
    size = (layout.frames or 0) * layout.channels
    if layout.bits != 16 or not layout.md5 or layout.start or not 0 < size <= MAX_SAMPLES:
        return None
    samples = np.empty(size, np.int16)
    if not _decode(data, layout, samples, "s16"):
        return None
    return samples if _md5(samples.astype("<i2", copy=False)) == layout.md5 else None


def decode_flac_12_20(data: bytes, layout: Layout) -> npt.NDArray[np.int32] | None:
    """Return samples as `decode_flac_16` does, for 12 and 20 bits, which libsndfile lacks.

    Returns:
        Shape `[frames * channels]`, full scale is 2**31; None as for `decode_flac_16`.
    """
    size = (layout.frames or 0) * layout.channels
    if layout.bits not in (12, 20) or not layout.md5 or not 0 < size <= MAX_SAMPLES:
        return None
    samples = np.empty(size, np.int32)
    if layout.start or not _decode(data, layout, samples, "s32"):
        return None
    values = (samples >> (32 - layout.bits)).astype("<i4")
    packed = values.view(np.uint8).reshape(-1, 4)[:, : -(-layout.bits // 8)]
    return samples if _md5(np.ascontiguousarray(packed)) == layout.md5 else None


def _decode(data: bytes, layout: Layout, samples: npt.NDArray[Any], sample_format: str) -> bool:
    """Fill an array with a file's samples; return whether they fit the layout."""
    decoder = _LIBRARY.ma_dr_flac_open_memory(data, len(data), _C.NULL)
    if decoder == _C.NULL:
        return False
    try:
        if (decoder.channels, decoder.bitsPerSample) != (layout.channels, layout.bits):
            return False
        target = _C.from_buffer(
            f"ma_dr_flac_int{sample_format[1:]}[]", samples, require_writable=True
        )
        read = getattr(_LIBRARY, f"ma_dr_flac_read_pcm_frames_{sample_format}")(
            decoder, layout.frames, target
        )
    finally:
        _LIBRARY.ma_dr_flac_close(decoder)
    return bool(read == layout.frames)


def _md5(samples: npt.NDArray[Any]) -> bytes:
    return hashlib.md5(samples.data, usedforsecurity=False).digest()
