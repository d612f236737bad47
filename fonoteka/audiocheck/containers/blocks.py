"""Read the structure of ADPCM and GSM sound in WAV files, which is coded in blocks of one size.

Source: Microsoft, Multimedia Registration Kit, revision 3.0 (1994): IMA and Microsoft ADPCM, GSM.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fonoteka.audiocheck.containers.chunks import (
    Chunk,
)
from fonoteka.audiocheck.containers.container import (
    NOT_STATED,
    TRUNCATED,
    UNKNOWN_LENGTH,
    UNREADABLE,
    CorruptFileError,
    Layout,
)

MS_ADPCM, IMA_ADPCM, GSM = BLOCK_KINDS = 2, 0x11, 0x31
_USUAL_RATES_HZ = (
    8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000
)  # fmt: skip
"""Any two of these differ in more than two bits, so one or two wrong bits cannot swap them."""


@dataclass(frozen=True)
class WaveFormat:
    """The contents of the chunk `fmt `, with its extension resolved."""

    tag: int
    channels: int
    sample_rate_hz: int
    byte_rate: int
    block: int
    bits: int
    valid_bits: int
    block_frames: int


@dataclass(frozen=True)
class SoundChunk:
    """The chunk that contains the sound, and its context.

    Attributes:
        chunk: place of the sound.
        fact: samples per channel that a chunk `fact` states; None if absent.
        start: position of the container.
        notes: oddities that do not affect the sound.
    """

    chunk: Chunk
    fact: int | None
    start: int
    notes: tuple[str, ...]

    @property
    def streamed(self) -> bool:
        """Return whether the file was written to a pipe, so its sizes are not stated."""
        return NOT_STATED in self.notes


def block_layout(data: bytes, fmt: WaveFormat, sound: SoundChunk) -> Layout:
    """Return the layout of sound in blocks of fixed size; the last block may be padded.

    Raises:
        CorruptFileError: a block is cut, or the number of samples is not stated or contradicts the
            number of blocks.
    """
    frames, fact, notes = fmt.block_frames, sound.fact, sound.notes
    if not frames or abs(fmt.byte_rate * frames - fmt.sample_rate_hz * fmt.block) > frames:
        if fmt.sample_rate_hz not in _USUAL_RATES_HZ:
            raise _no_match(fmt)
        _check_blocks(data, fmt, sound)
        note = f"states {fmt.byte_rate} bytes per second, which does not match its blocks"
        notes = (*notes, note)
    blocks, rest = divmod(sound.chunk.size, fmt.block)
    fact = blocks * frames if sound.streamed else fact
    if rest > (0 if sound.streamed else 1) or fact is None:
        raise CorruptFileError(
            TRUNCATED if rest else UNKNOWN_LENGTH,
            f"{sound.chunk.size} bytes of sound in blocks of {fmt.block}, {fact} samples declared",
        )
    if sound.streamed:
        _check_blocks(data, fmt, sound)
    if not (blocks - 1) * frames <= fact <= blocks * frames:
        raise CorruptFileError(UNREADABLE, f"states {fact} samples in {blocks} blocks of {frames}")
    spare = blocks * frames - fact
    # An odd number of 65-byte blocks is padded by one byte, which libsndfile decodes as a block.
    keep = blocks * frames if fmt.tag == GSM and blocks % 2 else 0
    rate, channels = fmt.sample_rate_hz, fmt.channels
    return Layout(rate, channels, fact, spare, sound.start, sound_frames=keep, notes=notes)


def _check_blocks(data: bytes, fmt: WaveFormat, sound: SoundChunk) -> None:
    """Compare the block size and every block's header with the codec, if the rate is in doubt.

    ffmpeg writes the requested bit rate instead of the bytes per second.

    Raises:
        CorruptFileError: blocks of this size and codec contain another number of samples, or a
            block has no valid header.
    """
    channels, channel_block = fmt.channels, fmt.block // fmt.channels
    # Microsoft, 1994: a block begins with the state of the decoder, 4 bytes of which one sample
    # for IMA and 7 of which two samples for Microsoft; each further byte is two samples.
    frames_per_block = {
        IMA_ADPCM: (channel_block - 4) * 2 + 1,
        MS_ADPCM: (channel_block - 7) * 2 + 2,
        GSM: fmt.block // 65 * 320,
    }[fmt.tag]
    fits_gsm = fmt.tag != GSM or (channels, fmt.block) == (1, 65)
    if frames_per_block != fmt.block_frames or fmt.block % channels or not fits_gsm:
        raise _no_match(fmt)
    count = sound.chunk.size // fmt.block
    blocks = np.frombuffer(data, np.uint8, count * fmt.block, sound.chunk.start)
    heads = blocks.reshape(count, fmt.block)
    if fmt.tag == IMA_ADPCM:  # per channel: a sample, a step index from 0 to 88, a zero byte
        wrong = (heads[:, 2 : 4 * channels : 4] > 88) | (heads[:, 3 : 4 * channels : 4] != 0)
    elif fmt.tag == MS_ADPCM:  # per channel: the index of one of seven coefficient pairs
        wrong = heads[:, :channels] > 6
    else:
        return
    if wrong.any():
        raise CorruptFileError(
            UNREADABLE, f"block {int(np.flatnonzero(wrong.any(axis=1))[0])} has no valid header"
        )


def _no_match(fmt: WaveFormat) -> CorruptFileError:
    return CorruptFileError(
        UNREADABLE,
        f"states {fmt.byte_rate} bytes per second and {fmt.block_frames} samples in blocks of "
        f"{fmt.block} bytes, which does not match {fmt.sample_rate_hz} Hz",
    )
