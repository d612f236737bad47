"""Hold decoded samples against what a file keeps: the samples themselves, or an MD5 of them.

A decoder that guesses wrong about a header gives noise, silence or a whisper, and no error. Where
samples lie in the file as they are, or where FLAC kept their MD5, that is found here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from fonoteka.audiocheck.containers.container import UNREADABLE, Broken, Layout, Plain
from fonoteka.audiocheck.libsndfile import Block


def checked(blocks: Iterator[Block], data: bytes, layout: Layout) -> Iterator[Block]:
    """Pass blocks on, having held them against the file's own bytes or its own MD5.

    Raises:
        Broken: they differ.
    """
    md5 = hashlib.md5(usedforsecurity=False)
    sample = 0
    for block in blocks:
        if layout.plain and not _lies_there(block, data, layout.plain, sample):
            raise Broken(
                UNREADABLE,
                f"near sample {sample // layout.channels} it doesn't decode to what lies there",
            )
        if layout.md5:
            md5.update(_as_kept(block, layout.bits).data)
        sample += block.size
        yield block
    if layout.md5 and md5.digest() != layout.md5:
        raise Broken(UNREADABLE, "its samples are not those that its own MD5 was made of")


def _as_kept(block: npt.NDArray[Any], bits: int) -> npt.NDArray[Any]:
    """Return samples as FLAC's MD5 takes them: little-endian, in as few bytes as hold them."""
    if bits <= 8:
        return (block >> 8).astype(np.int8)
    if bits <= 16:
        return block.astype("<i2", copy=False)
    return np.ascontiguousarray(block.astype("<i4").view(np.uint8).reshape(-1, 4)[:, 1:]).ravel()


def _lies_there(block: Block, data: bytes, plain: Plain, sample: int) -> bool:
    """Tell whether decoded samples are the bytes of the file from this sample on."""
    width = int(plain.code[1])
    start = plain.start + sample * width
    if start + block.size * width > len(data):
        return False
    if width == 3:
        kept = np.zeros((block.size, 4), np.uint8)
        lying = np.frombuffer(data, np.uint8, block.size * 3, start).reshape(-1, 3)
        kept[:, 1:] = lying[:, ::-1] if plain.big else lying
        values = kept.reshape(-1).view("<i4")
    else:
        values = np.frombuffer(data, f"{'>' if plain.big else '<'}{plain.code}", block.size, start)
    if plain.unused_bits and (values & ((1 << plain.unused_bits) - 1)).any():
        return False
    if plain.code == "i4" and _are_floats(values):
        return False
    if plain.code in ("u1", "i1"):
        values = (values.astype(np.int16) - (128 if plain.code == "u1" else 0)) << 8
    if plain.code[0] == "f":
        with np.errstate(over="ignore", invalid="ignore"):  # 64 bits may hold more than 32 can
            return np.array_equal(values.astype(np.float32), block, equal_nan=True)
    return np.array_equal(values, block)


def _are_floats(values: npt.NDArray[Any]) -> bool:
    """Tell whether samples that are said to be 32-bit integers are floats.

    One bit of a WAV file's head tells the two apart. Integers of sound, read as floats, are NaN
    below zero and next to nothing above; floats of sound are neither.
    """
    floats = np.abs(values.astype("<i4").view("<f4"))
    loudest = floats.max()
    return bool(np.isfinite(loudest) and 1e-6 < loudest < 64)
