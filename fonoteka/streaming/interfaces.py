"""What the parts of a streaming recogniser exchange.

    samples -> FrameSource -> Frames -> StreamDecoder -> StreamedPhone -> StreamUpdate

A frame is final once no later sample can change it. Phones that are decoded from final frames are
committed and never change; phones from the other frames are provisional and are replaced by the
next update.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from fonoteka.audio.dsp import Signal

Posteriors = NDArray[np.float32]


@dataclass(frozen=True)
class StreamedPhone:
    """A phone with its place in the stream.

    Attributes:
        symbol: the phone.
        start_s: from the start of the stream.
        end_s: after `start_s`.
        confidence: estimated probability that the phone is right, 0 to 1.
    """

    symbol: str
    start_s: float
    end_s: float
    confidence: float


class Frames(NamedTuple):
    """Log posteriors of the frames that samples complete.

    Attributes:
        final: `[N, V]`, the frames after those returned as final before.
        provisional: `[M, V]`, the frames after the final ones, as far as they can be computed now.
    """

    final: Posteriors
    provisional: Posteriors


class FrameSource(Protocol):
    """A model that turns samples into frames of 20 ms; it holds the state of one stream."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The V symbols of a frame; the first is the blank."""

    @property
    def look_ahead_s(self) -> float:
        """The longest time from the start of a frame to the last sample that it depends on."""

    def push(self, samples: Signal) -> Frames:
        """Return the frames that samples `[N]` at 16 kHz complete; N may be 0."""

    def finish(self) -> Frames:
        """Return the last frames of the stream as final, and reset the state."""


class StreamDecoder(Protocol):
    """Turns frames into phones; it holds the state of one stream."""

    def advance(self, final: Posteriors) -> list[StreamedPhone]:
        """Return the phones that final frames `[N, V]` commit, in order."""

    def preview(self, provisional: Posteriors) -> list[StreamedPhone]:
        """Return the phones after the committed ones, if provisional frames `[M, V]` follow.

        The state does not change.
        """

    def finish(self) -> list[StreamedPhone]:
        """Return the last phones of the stream as committed, and reset the state."""


@dataclass(frozen=True)
class StreamUpdate:
    """What is known after a piece of the stream.

    Attributes:
        audio_s: length of the samples that were fed so far.
        committed: phones that are new and final.
        provisional: all phones after the committed ones; they replace those of the update before.
        endpoint: why an utterance ends here, None if it does not.
    """

    audio_s: float
    committed: tuple[StreamedPhone, ...]
    provisional: tuple[StreamedPhone, ...]
    endpoint: str | None = None


class EndpointDetector(Protocol):
    """Decides when an utterance of a stream is over."""

    def push(self, samples: Signal, spoken: bool) -> str | None:
        """Return the reason if the utterance ends within these samples, else None.

        Args:
            samples: `[N]` at 16 kHz.
            spoken: whether a phone of this utterance was committed.
        """

    def finish(self) -> None:
        """Reset the state for a new stream."""
