"""Read the structure of sound in a WAV file that is coded in blocks of one size: ADPCM and GSM.

Source: Microsoft, Multimedia Registration Kit, revision 3.0 (1994): IMA and Microsoft ADPCM, GSM.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fonoteka.audiocheck.containers.container import (
    NOT_STATED,
    TRUNCATED,
    UNKNOWN_LENGTH,
    UNREADABLE,
    Broken,
    Chunk,
    Layout,
)

MS_ADPCM, IMA_ADPCM, GSM = BLOCK_KINDS = 2, 0x11, 0x31
_USUAL_RATES_HZ = (
    8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000
)  # fmt: skip
"""Any two of these differ in more than two bits, so that little damage makes none of another."""


@dataclass(frozen=True)
class Format:
    """What the chunk `fmt ` says, its extension resolved."""

    tag: int
    channels: int
    sample_rate_hz: int
    byte_rate: int
    block: int
    bits: int
    valid_bits: int
    block_frames: int


@dataclass(frozen=True)
class Sound:
    """Where the sound lies, and what else is known of it.

    Attributes:
        chunk: its place.
        fact: samples of one channel that a chunk `fact` states; None where there is none.
        start: where the container begins.
        notes: what is odd and does not touch the sound.
    """

    chunk: Chunk
    fact: int | None
    start: int
    notes: tuple[str, ...]

    @property
    def streamed(self) -> bool:
        """Tell whether the file was written to a pipe, so that it ends where it ends."""
        return NOT_STATED in self.notes


def in_blocks(data: bytes, said: Format, sound: Sound) -> Layout:
    """Return the layout of sound in blocks of fixed size; the last one may be padded.

    Raises:
        Broken: blocks are cut, or the number of samples is not stated, or contradicts them.
    """
    frames, fact, notes = said.block_frames, sound.fact, sound.notes
    if not frames or abs(said.byte_rate * frames - said.sample_rate_hz * said.block) > frames:
        if said.sample_rate_hz not in _USUAL_RATES_HZ:
            raise _no_match(said)
        _check_blocks(data, said, sound)
        notes = (*notes, f"says {said.byte_rate} bytes a second, no match to its blocks")
    blocks, rest = divmod(sound.chunk.size, said.block)
    fact = blocks * frames if sound.streamed else fact
    if rest > (0 if sound.streamed else 1) or fact is None:
        raise Broken(
            TRUNCATED if rest else UNKNOWN_LENGTH,
            f"{sound.chunk.size} bytes of sound in blocks of {said.block}, {fact} samples declared",
        )
    if sound.streamed:
        _check_blocks(data, said, sound)
    if not (blocks - 1) * frames <= fact <= blocks * frames:
        raise Broken(UNREADABLE, f"says {fact} samples in {blocks} blocks of {frames}")
    spare = blocks * frames - fact
    # The byte that fills up an odd number of blocks of 65 bytes: libsndfile takes it for one more.
    keep = blocks * frames if said.tag == GSM and blocks % 2 else 0
    rate, channels = said.sample_rate_hz, said.channels
    return Layout(rate, channels, fact, spare, sound.start, keep=keep, notes=notes)


def _check_blocks(data: bytes, said: Format, sound: Sound) -> None:
    """Hold the size of a block and each block's head against its kind, where less is stated.

    ffmpeg writes the bit rate that it was asked for in place of the bytes per second.

    Raises:
        Broken: blocks of this size and kind hold another number of samples, or a block's head can't
            be one.
    """
    channels, each = said.channels, said.block // said.channels
    holds = {
        IMA_ADPCM: (each - 4) * 2 + 1, MS_ADPCM: (each - 7) * 2 + 2, GSM: said.block // 65 * 320
    }[said.tag]  # fmt: skip
    one = said.tag != GSM or (channels, said.block) == (1, 65)
    if holds != said.block_frames or said.block % channels or not one:
        raise _no_match(said)
    count = sound.chunk.size // said.block
    blocks = np.frombuffer(data, np.uint8, count * said.block, sound.chunk.start)
    heads = blocks.reshape(count, said.block)
    if said.tag == IMA_ADPCM:  # a sample, an index of a step from 0 to 88, and a zero
        wrong = (heads[:, 2 : 4 * channels : 4] > 88) | (heads[:, 3 : 4 * channels : 4] != 0)
    elif said.tag == MS_ADPCM:  # one of seven pairs of coefficients
        wrong = heads[:, :channels] > 6
    else:
        return
    if wrong.any():
        raise Broken(UNREADABLE, f"block {int(np.flatnonzero(wrong.any(axis=1))[0])} has no head")


def _no_match(said: Format) -> Broken:
    return Broken(
        UNREADABLE,
        f"says {said.byte_rate} bytes a second and {said.block_frames} samples in blocks of "
        f"{said.block}, no match to {said.sample_rate_hz} Hz",
    )
