"""The usual way to stream a model that was not made for it: compute the window again and again.

With each chunk the whole window is recognised from its samples, and phones are committed on which
two hypotheses in a row agree. This is the baseline of `bench streaming`, with the same model.

Source: Liu et al. 2020, "Low-latency sequence-to-sequence speech recognition and translation by
partial hypothesis selection" (LocalAgreement); Machacek et al. 2023, "Turning Whisper into
real-time transcription system", which trims the window at committed words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fonoteka.audio.dsp import FRAMES_PER_SECOND, SAMPLE_RATE_HZ, Signal
from fonoteka.scoring.decoding import greedy
from fonoteka.streaming.interfaces import Posteriors, StreamedPhone, StreamUpdate
from fonoteka.streaming.local_agreement import agreed_count

SHORTEST_S = 0.1
"""A shorter window is not recognised: the encoders need 25 to 50 ms for their first frame."""


class RecomputeEngine:
    """An engine that recognises its whole window with each chunk.

    Args:
        posteriors: returns log posteriors `[T, V]` of samples `[N]`.
        labels: names of the V columns.
        window_s: a longer window is cut before its last committed phone, or to this length.
    """

    def __init__(
        self, posteriors: Callable[[Signal], Posteriors], labels: Sequence[str], window_s: float
    ) -> None:
        self._posteriors, self._labels = posteriors, labels
        self._window = round(window_s * SAMPLE_RATE_HZ)
        self._reset()

    def _reset(self) -> None:
        self._samples: Signal = np.zeros(0, dtype=np.float32)
        self._first = 0  # number of the window's first sample in the stream
        self._last = StreamedPhone("", 0.0, 0.0, 0.0)  # the last committed phone
        self._before: list[StreamedPhone] = []

    def feed(self, samples: Signal) -> StreamUpdate:
        """Return what two hypotheses agree on after samples `[N]`, and the rest of the last."""
        self._samples = np.concatenate([self._samples, samples])
        phones = self._hypothesis()
        both = ([phone.symbol for phone in hypothesis] for hypothesis in (phones, self._before))
        agreed = phones[: agreed_count(both)]
        self._before = phones[len(agreed) :]
        if agreed:
            self._last = agreed[-1]
        audio_s = (self._first + len(self._samples)) / SAMPLE_RATE_HZ
        self._trim()
        return StreamUpdate(audio_s, tuple(agreed), tuple(self._before))

    def finish(self) -> StreamUpdate:
        """Return the rest of the last hypothesis as committed, and reset the state."""
        audio_s = (self._first + len(self._samples)) / SAMPLE_RATE_HZ
        update = StreamUpdate(audio_s, tuple(self._before), ())
        self._reset()
        return update

    def _hypothesis(self) -> list[StreamedPhone]:
        """Return the phones of the window after the last committed one.

        A phone that was committed while it was still growing ends later in the next hypothesis, so
        its start decides that it is the same phone, with half a frame for the rounding.
        """
        if len(self._samples) < SHORTEST_S * SAMPLE_RATE_HZ:
            return []
        log_probs = self._posteriors(self._samples)
        offset_s = self._first / SAMPLE_RATE_HZ
        phones = [
            StreamedPhone(
                segment.symbol,
                offset_s + segment.start / FRAMES_PER_SECOND,
                offset_s + segment.end / FRAMES_PER_SECOND,
                float(np.exp(log_probs[segment.start : segment.end].max())),
            )
            for segment in greedy(log_probs, self._labels)
        ]
        after_s = self._last.end_s - 0.5 / FRAMES_PER_SECOND
        return [phone for phone in phones if phone.start_s > after_s]

    def _trim(self) -> None:
        if len(self._samples) <= self._window:
            return
        # The last committed phone stays whole: the rest of a phone would be recognised again.
        committed = round(self._last.start_s * SAMPLE_RATE_HZ) - self._first
        cut = max(committed, len(self._samples) - self._window)
        self._first += cut
        self._samples = self._samples[cut:]
