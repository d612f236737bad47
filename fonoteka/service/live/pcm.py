"""Raw samples from the messages of a socket, as one channel at 16 kHz."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fonoteka.audio.dsp import Signal
from fonoteka.audio.resampling import Resampler
from fonoteka.core.errors import UserError
from fonoteka.streaming.sources.chunks import check_rate, mono

SAMPLE_BYTES = {"pcm_s16le": 2, "pcm_f32le": 4}
RATES_HZ = 8_000, 192_000
MOST_CHANNELS = 8
LOUDEST = 100.0
"""Largest absolute float sample, 40 dB above full scale: integers that were sent as floats exceed
it, and sums of larger samples would overflow in a model."""


@dataclass(frozen=True)
class LiveFormat:
    """How the samples of a live stream are written.

    Attributes:
        encoding: `pcm_s16le` or `pcm_f32le`.
        sample_rate_hz: per channel.
        channels: interleaved; their mean is used.
    """

    encoding: str = "pcm_s16le"
    sample_rate_hz: int = 16_000
    channels: int = 1

    def __post_init__(self) -> None:
        if self.encoding not in SAMPLE_BYTES:
            raise UserError(f"encoding {self.encoding!r} is not one of {', '.join(SAMPLE_BYTES)}")
        low, high = RATES_HZ
        if not low <= self.sample_rate_hz <= high:
            raise UserError(f"a sample rate of {self.sample_rate_hz} Hz; expected {low} to {high}")
        check_rate(self.sample_rate_hz)
        if not 1 <= self.channels <= MOST_CHANNELS:
            raise UserError(f"{self.channels} channels; expected 1 to {MOST_CHANNELS}")

    @property
    def frame_bytes(self) -> int:
        """Bytes of a sample of all channels."""
        return SAMPLE_BYTES[self.encoding] * self.channels


class PcmDecoder:
    """Decodes the bytes of one stream; a message may end within a sample.

    Attributes:
        fault: why the samples after the ones returned so far cannot be used; empty without a fault.
    """

    def __init__(self, written: LiveFormat) -> None:
        self.fault = ""
        self._written = written
        self._resampler = Resampler(written.sample_rate_hz, shortest=1)
        self._held = b""
        self._count = 0  # samples per channel that were decoded

    def push(self, data: bytes) -> Signal:
        """Return the samples `[N]` at 16 kHz that bytes complete, those before a fault.

        After a fault nothing is returned.
        """
        if self.fault:
            return np.zeros(0, dtype=np.float32)
        self._held += data
        size = self._written.frame_bytes
        whole = len(self._held) // size * size
        samples = self._samples(self._held[:whole])
        self._held = self._held[whole:]
        self._count += len(samples)
        return self._resampler.push(samples)

    def flush(self) -> Signal:
        """Return the samples `[N]` at 16 kHz of all whole samples up to now."""
        return self._resampler.finish()

    def finish(self) -> Signal:
        """Return the last samples `[N]` at 16 kHz; the end within a sample is a fault."""
        if self._held and not self.fault:
            self.fault = (
                f"the stream ends after {len(self._held)} of {self._written.frame_bytes} bytes of "
                f"a sample; check that it is {self._written.encoding} with "
                f"{self._written.channels} channels"
            )
        return self._resampler.finish()

    def _samples(self, data: bytes) -> Signal:
        """Return the mean of the channels, up to a fault."""
        channels = self._written.channels
        if self._written.encoding == "pcm_s16le":
            integers = np.frombuffer(data, dtype="<i2").astype(np.float32)
            return mono(integers / np.float32(32768), channels)
        samples = np.frombuffer(data, dtype="<f4").astype(np.float32)
        # A comparison with NaN is false, so that the condition refuses NaN too.
        wrong = np.flatnonzero(~(np.abs(samples) <= LOUDEST))
        if not len(wrong):
            return mono(samples, channels)
        first = int(wrong[0])
        before = first // channels
        self.fault = (
            f"sample {self._count + before} of the stream is {samples[first]}; expected numbers "
            f"from -1 to 1: divide integers by their full scale"
        )
        return mono(samples[: before * channels], channels)
