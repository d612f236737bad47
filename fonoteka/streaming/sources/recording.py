"""Chunks of a recording, as fast as possible or as if it were spoken now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.recording_blocks import signal_blocks
from fonoteka.streaming.sources.chunks import StopRequest, chunked, paced


def recording_chunks(
    path: Path, chunk_ms: int, stop: StopRequest, *, realtime: bool
) -> Iterator[Signal]:
    """Yield a recording of any format, rate, length and number of channels.

    It is read in blocks of 30 s, so the memory does not grow with its length.

    Args:
        path: of the recording.
        chunk_ms: length of a chunk, in ms.
        stop: ends it.
        realtime: whether a chunk waits until it would have been spoken.

    Raises:
        UserError: the recording cannot be read, is empty, changes its rate, or has a sample that is
            not finite.
    """
    chunks = chunked(signal_blocks(path), chunk_ms * SAMPLE_RATE_HZ // 1000)
    for chunk in paced(chunks) if realtime else chunks:
        if stop.requested:
            return
        yield chunk
