"""A streaming recogniser that does no I/O: samples in, committed and provisional phones out."""

from __future__ import annotations

import numpy as np

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.core.errors import UserError
from fonoteka.streaming.interfaces import (
    EndpointDetector,
    FrameSource,
    StreamDecoder,
    StreamedPhone,
    StreamUpdate,
)


class StreamEngine:
    """Joins a model, a decoder and, if wanted, a detector of endpoints for one stream at a time."""

    def __init__(
        self, source: FrameSource, decoder: StreamDecoder, endpoints: EndpointDetector | None = None
    ) -> None:
        self.source, self.decoder, self.endpoints = source, decoder, endpoints
        self._reset()

    def _reset(self) -> None:
        self._samples = 0
        self._spoken = False  # whether this utterance has a committed phone

    def feed(self, samples: Signal) -> StreamUpdate:
        """Return what is known after samples `[N]` at 16 kHz, N of any size, 0 too.

        Raises:
            UserError: the samples are not one channel of numbers, or one is not finite.
        """
        samples = _checked(samples, self._samples)
        self._samples += len(samples)
        frames = self.source.push(samples)
        committed = self.decoder.advance(frames.final)
        return self._update(committed, self.decoder.preview(frames.provisional), samples)

    def finish(self) -> StreamUpdate:
        """Return the last phones of the stream, and reset the state for another one."""
        committed = self.decoder.advance(self.source.finish().final) + self.decoder.finish()
        update = StreamUpdate(self._samples / SAMPLE_RATE_HZ, tuple(committed), ())
        if self.endpoints is not None:
            self.endpoints.finish()
        self._reset()
        return update

    def _update(
        self, committed: list[StreamedPhone], provisional: list[StreamedPhone], samples: Signal
    ) -> StreamUpdate:
        self._spoken |= bool(committed)
        endpoint = None
        if self.endpoints is not None:
            endpoint = self.endpoints.push(samples, self._spoken)
        if endpoint is not None:
            self._spoken = False
        audio_s = self._samples / SAMPLE_RATE_HZ
        return StreamUpdate(audio_s, tuple(committed), tuple(provisional), endpoint)


def _checked(samples: Signal, before: int) -> Signal:
    """Return samples as float32 `[N]`.

    Raises:
        UserError: they have another shape, or one is not finite.
    """
    samples = np.asarray(samples)
    if samples.ndim != 1 or samples.dtype.kind != "f":
        raise UserError(
            f"expected samples of one channel as floats [N], found {samples.dtype} of shape "
            f"{samples.shape}; mix the channels and divide PCM16 by 32768"
        )
    if not np.isfinite(samples).all():
        index = int(np.flatnonzero(~np.isfinite(samples))[0])
        place_s = (before + index) / SAMPLE_RATE_HZ
        raise UserError(
            f"sample {before + index} of the stream, at {place_s:.3f} s, is {samples[index]}; "
            "expected finite numbers: check the source"
        )
    return samples.astype(np.float32, copy=False)
