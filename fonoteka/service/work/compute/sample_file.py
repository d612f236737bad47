"""The samples of a job, read part by part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.core.errors import UserError

_SAMPLE = np.dtype("<f4")
SAMPLE_BYTES = _SAMPLE.itemsize
BLOCK_S = 10.0
"""Sound that is read and given to the speech gate at once: 30 ms of computation."""


class SampleFile:
    """A file of float32 samples at 16 kHz, one channel; see `Job.audio`.

    It is read and not mapped: a mapped file that is truncated ends the process by a signal.
    """

    def __init__(self, path: Path) -> None:
        """Open a file.

        Raises:
            UserError: it has no samples.
            OSError: it cannot be read.
        """
        self.size = path.stat().st_size // SAMPLE_BYTES
        if not self.size:
            raise UserError("the recording has no samples; record it again")
        self._path = path

    def read(self, start: int, end: int) -> Signal:
        """Return the samples `[start, end)`.

        Raises:
            UserError: one is not finite.
        """
        count = end - start
        offset = start * SAMPLE_BYTES
        samples = np.fromfile(self._path, dtype=_SAMPLE, count=count, offset=offset)
        if not np.isfinite(samples).all():
            place_s = (start + int(np.isfinite(samples).argmin())) / SAMPLE_RATE_HZ
            raise UserError(
                f"the sample at {place_s:.3f} s is not a finite number; record it again"
            )
        return samples.astype(np.float32, copy=False)

    def blocks(self) -> Iterator[Signal]:
        """Yield the samples in blocks `[T]`."""
        step = round(BLOCK_S * SAMPLE_RATE_HZ)
        for start in range(0, self.size, step):
            yield self.read(start, min(start + step, self.size))

    @property
    def seconds(self) -> float:
        """The length."""
        return self.size / SAMPLE_RATE_HZ
