"""Compare decoded samples with the file: with its uncompressed samples, or with FLAC's MD5.

A decoder that misreads a header returns noise, silence or very quiet sound, and no error. This
module detects it for uncompressed samples and for FLAC files that store the MD5 of their samples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from fonoteka.audiocheck.containers.container import (
    UNREADABLE,
    CorruptFileError,
    Layout,
    RawSamples,
)
from fonoteka.audiocheck.libsndfile import Block


def check_blocks(blocks: Iterator[Block], data: bytes, layout: Layout) -> Iterator[Block]:
    """Yield the blocks unchanged after comparing them with the file's bytes or its MD5.

    Raises:
        CorruptFileError: they differ.
    """
    md5 = hashlib.md5(usedforsecurity=False)
    sample = 0
    for block in blocks:
        if layout.raw and not _equals_stored(block, data, layout.raw, sample):
            raise CorruptFileError(
                UNREADABLE,
                f"decodes to other samples than it stores near sample {sample // layout.channels}",
            )
        if layout.md5:
            md5.update(_as_md5_input(block, layout.bits).data)
        sample += block.size
        yield block
    if layout.md5 and md5.digest() != layout.md5:
        raise CorruptFileError(UNREADABLE, "its decoded samples do not match its MD5")


def _as_md5_input(block: npt.NDArray[Any], bits: int) -> npt.NDArray[Any]:
    """Return samples as FLAC's MD5 reads them: little-endian, with as few bytes as possible."""
    if bits <= 8:
        return (block >> 8).astype(np.int8)
    if bits <= 16:
        return block.astype("<i2", copy=False)
    return np.ascontiguousarray(block.astype("<i4").view(np.uint8).reshape(-1, 4)[:, 1:]).ravel()


def _equals_stored(block: Block, data: bytes, raw: RawSamples, sample: int) -> bool:
    """Return whether decoded samples equal the bytes of the file from a sample on."""
    width = int(raw.code[1])
    start = raw.start + sample * width
    if start + block.size * width > len(data):
        return False
    if width == 3:
        padded = np.zeros((block.size, 4), np.uint8)
        stored = np.frombuffer(data, np.uint8, block.size * 3, start).reshape(-1, 3)
        padded[:, 1:] = stored[:, ::-1] if raw.big else stored
        values = padded.reshape(-1).view("<i4")
    else:
        values = np.frombuffer(data, f"{'>' if raw.big else '<'}{raw.code}", block.size, start)
    if raw.unused_bits and (values & ((1 << raw.unused_bits) - 1)).any():
        return False
    if raw.code == "i4" and _are_floats(values):
        return False
    if raw.code in ("u1", "i1"):
        values = (values.astype(np.int16) - (128 if raw.code == "u1" else 0)) << 8
    if raw.code[0] == "f":
        with np.errstate(over="ignore", invalid="ignore"):  # 64 bits may hold more than 32 can
            return np.array_equal(values.astype(np.float32), block, equal_nan=True)
    return np.array_equal(values, block)


def _are_floats(values: npt.NDArray[Any]) -> bool:
    """Return whether samples that are declared as 32-bit integers are in fact floats.

    A single bit of a WAV header distinguishes the two. Integer samples read as floats are NaN if
    negative and tiny if positive; float samples are neither.
    """
    floats = np.abs(values.astype("<i4").view("<f4"))
    loudest = floats.max()
    return bool(np.isfinite(loudest) and 1e-6 < loudest < 64)
