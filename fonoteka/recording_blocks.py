"""Read a recording of any rate and number of channels as one channel at 16 kHz, in blocks.

The memory is that of a block, so two hours need as much as two minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from fonoteka.audio.dsp import Signal
from fonoteka.audio.resampling import blocks_at_16k
from fonoteka.audiocheck.downmix import select_channel
from fonoteka.audiocheck.probe import DECODE_ERRORS
from fonoteka.audiocheck.read_recording import unreadable
from fonoteka.audiocheck.stream import SoundBlock, sound_blocks
from fonoteka.core.errors import UserError

BLOCK_S = 30.0


def _accept(_block: SoundBlock) -> None:
    return


def signal_blocks(
    path: Path, block_s: float = BLOCK_S, check: Callable[[SoundBlock], None] = _accept
) -> Iterator[Signal]:
    """Yield a recording as one channel at 16 kHz, in blocks of about `block_s` seconds.

    A channel is selected for each block, see `select_channel`, because that needs no second pass.

    Args:
        path: of the recording.
        block_s: length of the blocks that are decoded at once.
        check: called with each decoded block before it is used; an exception of it ends the blocks.

    Raises:
        UserError: it cannot be read, is empty, changes its rate, or has a sample that is not
            finite. Blocks may have been yielded by then.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    blocks = _checked_blocks(path, block_s)
    first = next(blocks, None)
    if first is None:
        raise UserError(f"{path}: contains no samples; record it again")
    check(first)
    selected = chain([_one_channel(first)], _selected(blocks, check))
    yield from blocks_at_16k(selected, first.sample_rate_hz)


def _selected(
    blocks: Iterable[SoundBlock], check: Callable[[SoundBlock], None]
) -> Iterator[Signal]:
    for block in blocks:
        check(block)
        yield _one_channel(block)


def _checked_blocks(path: Path, block_s: float) -> Iterator[SoundBlock]:
    rate_hz, problem = None, None
    try:
        for block in sound_blocks(path, block_s):
            rate_hz = rate_hz or block.sample_rate_hz
            if block.sample_rate_hz != rate_hz:
                problem = f"changes its rate from {rate_hz} to {block.sample_rate_hz} Hz; convert"
                break
            if not np.isfinite(block.samples).all():
                problem = "contains a sample that is not finite; record"
                block = block._replace(samples=_before_fault(block.samples))
            yield block
            if problem:
                break
    except DECODE_ERRORS as error:
        raise unreadable(path, error) from error
    if problem:
        raise UserError(f"{path}: {problem} it again")


def _before_fault(samples: Signal) -> Signal:
    """Return the samples `[T, C]` before the first that is not finite."""
    return samples[: int(np.isfinite(samples).all(axis=1).argmin())]


def _one_channel(block: SoundBlock) -> Signal:
    selected = select_channel(block.samples, block.sample_rate_hz)
    mono: Signal = selected.mean(axis=1) if selected.ndim == 2 else selected
    return mono.astype(np.float32, copy=False)
